// Who writes and reads each buffer of a program.
#pragma once
#include <vector>

#include "program.h"

namespace needletail {

struct Use {
  SmallVector<int, 4> writers, readers;  // steps, in order
  bool result = false;
};

class Uses {
 public:
  explicit Uses(const Program& program);
  const Use& of(int buffer) const { return uses_[buffer]; }
  // Made by one step, and not memory from outside of the program.
  bool isMadeOnce(int buffer) const;
  // ... nor seen there.
  bool isValue(int buffer) const;
  // A value that one step alone reads.
  bool isFor(int buffer, int reader) const;
  // Whether a step between the two (neither included) writes the buffer.
  bool isWrittenBetween(int buffer, int first, int last) const;
  // Whether a step could be run at a later place as well: what it reads is then as it was.
  bool canRepeat(int step, int place) const;
  // Whether a step can be run at a later place instead; what step `gone` reads doesn't matter.
  bool canWait(int step, int until, int gone = -1) const;
  // Whether a step can be run at an earlier place instead, where it is given one of its inputs.
  bool canHurry(int step, int place, int given = -1) const;

 private:
  const Program& program_;
  std::vector<Use> uses_;
};

}  // namespace needletail
