// The calls that throw, for programs that are built without exceptions: what they return is empty where they failed, and
// `error` says why, in the `sapbuf` category (Errc); after a success it is clear.
//
// Everything else that the writing and the reading of a stream takes throws nothing: `reserve`, `write`, `commit`, the walk
// through a range. A program that is built without exceptions ends where another call throws.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <system_error>

#include <sapbuf/reader.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/stream.hpp>
#include <sapbuf/writer.hpp>

namespace sapbuf::no_throw {

// As those of Segment.
std::optional<Segment> create(std::string_view name, const SegmentOptions& options, std::error_code& error) noexcept;
std::optional<Segment> open(std::string_view name, std::error_code& error) noexcept;
std::optional<Segment> open_or_create(std::string_view name, const SegmentOptions& options,
                                      std::error_code& error) noexcept;
bool remove(std::string_view name, std::error_code& error) noexcept;

// As those of Stream.
std::optional<Stream> create_stream(const Segment& segment, std::string_view name, const StreamOptions& options,
                                    std::error_code& error) noexcept;
std::optional<Stream> open_stream(const Segment& segment, std::string_view name, std::error_code& error) noexcept;
std::optional<Stream> open_or_create_stream(const Segment& segment, std::string_view name, const StreamOptions& options,
                                            std::error_code& error) noexcept;

// As the constructors.
std::optional<Writer> attach_writer(const Stream& stream, const WriterOptions& options,
                                    std::error_code& error) noexcept;
std::optional<Reader> attach_reader(const Stream& stream, const ReaderOptions& options,
                                    std::error_code& error) noexcept;

// As those of Reader. False, or empty, without an error: there is nothing to read.
bool wait_for(Reader& reader, std::chrono::nanoseconds timeout, std::error_code& error) noexcept;
std::optional<PinnedRange> pin(Reader& reader, std::error_code& error) noexcept;

}  // namespace sapbuf::no_throw
