#include <sapbuf/no_throw.hpp>

#include <new>

namespace sapbuf::no_throw {
namespace {

// What `call` returns; or, if it throws, nothing, or false.
template <typename Result, typename Call>
Result result_of(Call call, std::error_code& error) noexcept {
  try {
    error.clear();
    return call();
  } catch (const std::system_error& thrown) {
    error = thrown.code();
  } catch (const std::bad_alloc&) {
    error = Errc::resource_exhausted;
  } catch (...) {
    error = Errc::system;
  }
  return Result{};
}

}  // namespace

std::optional<Segment> create(std::string_view name, const SegmentOptions& options, std::error_code& error) noexcept {
  return result_of<std::optional<Segment>>([&] { return Segment::create(name, options); }, error);
}

std::optional<Segment> open(std::string_view name, std::error_code& error) noexcept {
  return result_of<std::optional<Segment>>([&] { return Segment::open(name); }, error);
}

std::optional<Segment> open_or_create(std::string_view name, const SegmentOptions& options,
                                      std::error_code& error) noexcept {
  return result_of<std::optional<Segment>>([&] { return Segment::open_or_create(name, options); }, error);
}

bool remove(std::string_view name, std::error_code& error) noexcept {
  return result_of<bool>([&] { return Segment::remove(name); }, error);
}

std::optional<Stream> create_stream(const Segment& segment, std::string_view name, const StreamOptions& options,
                                    std::error_code& error) noexcept {
  return result_of<std::optional<Stream>>([&] { return Stream::create(segment, name, options); }, error);
}

std::optional<Stream> open_stream(const Segment& segment, std::string_view name, std::error_code& error) noexcept {
  return result_of<std::optional<Stream>>([&] { return Stream::open(segment, name); }, error);
}

std::optional<Stream> open_or_create_stream(const Segment& segment, std::string_view name, const StreamOptions& options,
                                            std::error_code& error) noexcept {
  return result_of<std::optional<Stream>>([&] { return Stream::open_or_create(segment, name, options); }, error);
}

std::optional<Writer> attach_writer(const Stream& stream, const WriterOptions& options,
                                    std::error_code& error) noexcept {
  return result_of<std::optional<Writer>>([&] { return Writer{stream, options}; }, error);
}

std::optional<Reader> attach_reader(const Stream& stream, const ReaderOptions& options,
                                    std::error_code& error) noexcept {
  return result_of<std::optional<Reader>>([&] { return Reader{stream, options}; }, error);
}

bool wait_for(Reader& reader, std::chrono::nanoseconds timeout, std::error_code& error) noexcept {
  return result_of<bool>([&] { return reader.wait_for(timeout); }, error);
}

std::optional<PinnedRange> pin(Reader& reader, std::error_code& error) noexcept {
  return result_of<std::optional<PinnedRange>>([&] { return reader.pin(); }, error);
}

}  // namespace sapbuf::no_throw
