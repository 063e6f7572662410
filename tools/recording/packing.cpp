#include "recording/packing.hpp"

#include "recording/error.hpp"

#ifdef SAPBUF_RECORDING_ZSTD
#include <zstd.h>
#endif

namespace sapbuf::recording {

#ifdef SAPBUF_RECORDING_ZSTD

namespace {

constexpr int kLevel = 3;  // zstd's own default: some hundred megabytes a second

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

template <typename Context>
std::unique_ptr<Context, FreeContext> made(Context* context) {
  if (context == nullptr) throw std::bad_alloc();
  return std::unique_ptr<Context, FreeContext>{context};
}

}  // namespace

struct Compressor::State {
  std::unique_ptr<ZSTD_CCtx, FreeContext> context = made(ZSTD_createCCtx());
  std::vector<std::byte> packed;
};

struct Decompressor::State {
  std::unique_ptr<ZSTD_DCtx, FreeContext> context = made(ZSTD_createDCtx());
};

bool can_compress() noexcept { return true; }

Compressor::Compressor() : state_(std::make_unique<State>()) {}

std::span<const std::byte> Compressor::compress(std::span<const std::byte> content) {
  state_->packed.resize(content.size());
  const std::size_t size = ZSTD_compressCCtx(state_->context.get(), state_->packed.data(), state_->packed.size(),
                                             content.data(), content.size(), kLevel);
  if (ZSTD_isError(size) != 0) return {};  // it does not fit
  return std::span{state_->packed}.first(size);
}

Decompressor::Decompressor() : state_(std::make_unique<State>()) {}

bool Decompressor::decompress(std::span<const std::byte> packed, std::span<std::byte> to) {
  return ZSTD_decompressDCtx(state_->context.get(), to.data(), to.size(), packed.data(), packed.size()) == to.size();
}

#else

struct Compressor::State {};
struct Decompressor::State {};

bool can_compress() noexcept { return false; }

Compressor::Compressor() { throw RecordingError(RecordingError::Kind::no_zstd, kHowToGetZstd); }

std::span<const std::byte> Compressor::compress(std::span<const std::byte>) { return {}; }

Decompressor::Decompressor() = default;

bool Decompressor::decompress(std::span<const std::byte>, std::span<std::byte>) {
  throw RecordingError(RecordingError::Kind::no_zstd, kHowToGetZstd);
}

#endif

Compressor::~Compressor() = default;
Decompressor::~Decompressor() = default;

}  // namespace sapbuf::recording
