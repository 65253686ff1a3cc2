// Images of few channels: a library's engines on tensor cores want as many as fill 16 bytes. So image and weights are
// copied with zeros after each pixel's channels, and of the weights' gradient what belongs to those is taken.
#include "cuda/convolution.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

constexpr size_t kAlignment = 256;

// Element: an unsigned type of the dtype's size. A thread copies a pixel.
template <class Element>
struct PadChannels {
  static constexpr int kWide = kVector<Element>;
  const void* from;
  int64_t channels;
  void* to;
  NT_INLINE void operator()(int64_t pixel) const {
    Pack<Element, kWide> pack = {};
    NT_UNROLL
    for (int e = 0; e < kWide; e++) {
      if (e < channels) pack.of[e] = static_cast<const Element*>(from)[pixel * channels + e];
    }
    storePack(static_cast<Element*>(to) + pixel * kWide, pack);
  }
};
template <class Element>
struct CropChannels {
  static constexpr int kWide = kVector<Element>;
  const void* from;
  int64_t channels;
  void* to;
  NT_INLINE void operator()(int64_t pixel) const {
    const auto pack = loadPack<kWide>(static_cast<const Element*>(from) + pixel * kWide);
    NT_UNROLL
    for (int e = 0; e < kWide; e++) {
      if (e < channels) static_cast<Element*>(to)[pixel * channels + e] = pack.of[e];
    }
  }
};

// The convolution of the padded tensors, which lie behind its own scratch memory.
template <class Element>
struct PaddedRun final : Prepared {
  struct Part {
    int buffer;
    bool result;
    int64_t pixels;
    size_t offset;
  };
  std::unique_ptr<Prepared> inner;
  SmallVector<Part, 2> parts;
  int64_t channels;
  int buffers;

  PaddedRun(const Call& call, std::unique_ptr<Prepared> prepared, std::initializer_list<int> padded)
      : inner(std::move(prepared)), buffers(static_cast<int>(call.in.size() + call.out.size())) {
    const int inputs = static_cast<int>(call.in.size());
    workspace = inner->workspace;
    for (int buffer : padded) {
      const Spec& spec = buffer < inputs ? call.in[buffer] : call.out[buffer - inputs];
      channels = spec.shape[3];
      const int64_t pixels = spec.elements() / channels;
      workspace = (workspace + kAlignment - 1) / kAlignment * kAlignment;
      parts.push_back({buffer, buffer >= inputs, pixels, workspace});
      workspace += static_cast<size_t>(pixels) * kVector<Element> * sizeof(Element);
    }
  }
  void run(Stream& stream, void* const* given) override {
    SmallVector<void*, 8> own;
    for (int i = 0; i < buffers; i++) own.push_back(given[i]);
    for (const Part& part : parts) {
      own[part.buffer] = static_cast<char*>(stream.workspace) + part.offset;
      if (!part.result) each(stream, part.pixels, PadChannels<Element>{given[part.buffer], channels, own[part.buffer]});
    }
    inner->run(stream, own.data());
    for (const Part& part : parts) {
      if (part.result) each(stream, part.pixels, CropChannels<Element>{own[part.buffer], channels, given[part.buffer]});
    }
  }
};

}  // namespace

std::unique_ptr<Prepared> convolutionPadded(const Call& call) {
  const ConvolutionShape s(call);
  const bool weights = s.kernel == Kernel::convolutionWeights;
  if (s.params.groups > 1 || (!weights && s.kernel != Kernel::convolution)) return nullptr;
  if (s.dtype == DType::float32 && !s.params.tf32) return nullptr;  // no tensor cores
  const int64_t wide = static_cast<int64_t>(16 / size(s.dtype));
  if (s.c >= wide || s.c == 0) return nullptr;
  Call padded = call;
  (weights ? padded.out[0] : padded.in[0]).shape[3] = padded.in[1].shape[3] = wide;
  auto inner = convolutionByCudnn(padded);
  if (!inner) return nullptr;
  const int result = static_cast<int>(call.in.size());
  const auto make = [&](auto element) -> std::unique_ptr<Prepared> {
    using Run = PaddedRun<typename decltype(element)::type>;
    if (weights) return std::make_unique<Run>(call, std::move(inner), std::initializer_list<int>{1, result});
    return std::make_unique<Run>(call, std::move(inner), std::initializer_list<int>{0, 1});
  };
  return s.dtype == DType::float32 ? make(Type<uint32_t>()) : make(Type<uint16_t>());
}

}  // namespace needletail::cuda
