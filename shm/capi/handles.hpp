// What is behind the handles that several files know.
#pragma once

#include <sapbuf.h>
#include <sapbuf/map.hpp>
#include <sapbuf/pool.hpp>
#include <sapbuf/queue.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/stream.hpp>

#include "capi/call.hpp"

struct sapbuf_segment {
  sapbuf::Segment segment;
};

struct sapbuf_stream {
  sapbuf::Stream stream;
};

struct sapbuf_pool {
  sapbuf::Pool pool;
};

// With the texts that its options name.
struct sapbuf_map {
  sapbuf::Map map;
  sapbuf::MapOptions options = map.options();
};

struct sapbuf_queue {
  sapbuf::Queue queue;
  sapbuf::QueueOptions options = queue.options();
};

struct sapbuf_producer {
  sapbuf::Producer producer;
};

namespace sapbuf::capi {

// As programs get to see them, with the texts of `options`.
sapbuf_segment_options c_options_of(const SegmentOptions& options);
sapbuf_stream_options c_options_of(const StreamOptions& options);
sapbuf_pool_options c_options_of(const PoolOptions& options);
sapbuf_map_options c_options_of(const MapOptions& options);
sapbuf_queue_options c_options_of(const QueueOptions& options);
// The same, with the name of `reader`.
sapbuf_durable_reader c_reader_of(const DurableReaderInfo& reader) noexcept;

// NULL is `main`.
inline std::string_view stream_name_of(const char* name) noexcept { return name == nullptr ? kMainStream : name; }

inline BufferReference reference_of(const sapbuf_buffer_reference& reference) noexcept {
  return {reference.where, reference.index, reference.incarnation};
}
inline sapbuf_buffer_reference c_reference_of(const BufferReference& reference) noexcept {
  return {reference.where, reference.index, reference.incarnation};
}

}  // namespace sapbuf::capi
