// copy and fill.
#include "cuda/chunks.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

struct CopyRun final : Prepared {
  size_t bytes;
  void run(Stream& stream, void* const* buffers) override {
    if (buffers[0] != buffers[1]) copyWithin(stream, buffers[1], buffers[0], bytes);
  }
};

// Several in one launch: small ones take as long as a launch each.
struct Words {
  uint32_t* to;
  const uint32_t* from;
};
template <class All>
struct CopyBody {
  All all;
  NT_INLINE void operator()(const Block& block) const {
    all.each(block, [&](const Words& own, int64_t i, auto size) {
      constexpr int n = decltype(size)::value;
      storePack(own.to + i, loadPack<n>(own.from + i));
    });
  }
};
constexpr size_t kSmall = size_t{4} << 20;
bool isInWords(const Transfer& transfer) { return transfer.bytes % sizeof(uint32_t) == 0; }

template <class T>
struct FillBody {
  T* out;
  T value;
  NT_INLINE void operator()(int64_t i) const { out[i] = value; }
};

template <class T>
struct FillRun final : Prepared {
  T value;
  int64_t n;
  void run(Stream& stream, void* const* buffers) override {
    each(stream, n, FillBody<T>{static_cast<T*>(buffers[0]), value});
  }
};

}  // namespace

void copyWithin(Stream& stream, std::span<const Transfer> transfers) {
  SmallVector<const Transfer*, 8> small;
  int64_t words = 0;
  for (const Transfer& transfer : transfers) {
    if (transfer.bytes > kSmall || !isInWords(transfer)) {
      copyWithin(stream, transfer.to, transfer.from, transfer.bytes);
    } else {
      small.push_back(&transfer);
      words += static_cast<int64_t>(transfer.bytes / sizeof(uint32_t));
    }
  }
  inLaunches<Words>(static_cast<int>(small.size()), words, [&](auto all, int first, int count) {
    for (int k = first; k < first + count; k++) {
      const Transfer& own = *small[k];
      all.add({static_cast<uint32_t*>(own.to), static_cast<const uint32_t*>(own.from)},
              static_cast<int64_t>(own.bytes / sizeof(uint32_t)));
    }
    blocks(stream, all.total, CopyBody<decltype(all)>{all});
  });
}

std::unique_ptr<Prepared> prepareCopy(const Call& call) {
  auto run = std::make_unique<CopyRun>();
  run->bytes = call.in[0].bytes();
  return run;
}

std::unique_ptr<Prepared> prepareFill(const Call& call) {
  const Spec& out = call.out[0];
  const uint64_t bits = bitsOf(out.dtype, read<Fill>(call.params).value);
  return dispatchSize(out.dtype, [&](auto tag) -> std::unique_ptr<Prepared> {
    using T = typename decltype(tag)::type;
    auto run = std::make_unique<FillRun<T>>();
    run->value = static_cast<T>(bits);
    run->n = out.elements();
    return run;
  });
}

}  // namespace needletail::cuda
