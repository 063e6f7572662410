// A recording of a stream's messages, as it stands in a file. All numbers are unsigned and little-endian; shm/docs/recording.md has the
// same for those who write readers of their own.
//
//   byte 0     16
//        +------+-------+---------+-- ... --+---------+-------+---------+
//        | file | start | records | records | records | index | trailer |     index and trailer: only of one that was finished
//        +------+-------+---------+-- ... --+---------+-------+---------+
//
// A block (start, records, index) is a header of 88 bytes, and its content:
//
//   byte 0       4      8         12     13        14  16       24       32        40       48      56       88
//        +-------+------+---------+------+---------+---+--------+--------+---------+--------+-------+--------+---- ... ----+
//        | magic | CRC  | CRC of  | kind | packing | 0 | offset | stored | content | first  | last  | totals | content     |
//        |       |      | content |      |         |   |        | bytes  | bytes   | record | record|        | as stored   |
//        +-------+------+---------+------+---------+---+--------+--------+---------+--------+-------+--------+---- ... ----+
//        CRC: of bytes 8 to 87; CRC of content: of the stored bytes; content bytes: once they are unpacked;
//        offset: of the block in the file, so that what looks like a block in a message is none
//
// Unpacked, a block of records has one behind the other, each a header of 16 bytes, and its payload:
//
//   byte 0             8         12     14     15      16
//        +-------------+---------+------+------+-------+---- ... ----+
//        | time in ns  | size of | type | kind | flags | payload     |     time: since the recording began; it never falls
//        |             | payload |      |      |       |             |
//        +-------------+---------+------+------+-------+---- ... ----+
//
// The recorder writes whole blocks at the end of the file, and never goes back: killed at any moment, it leaves whole blocks, and then
// perhaps a part of one. What is behind the last whole block is left out by readers.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sapbuf::recording {

static_assert(std::endian::native == std::endian::little,
              "the structures below are copied to and from the file as they are");

inline constexpr std::array<char, 8> kFileMagic{'S', 'A', 'P', 'B', 'U', 'F', 'R', '\n'};
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint32_t kBlockMagic = 0x6b426253;    // "SbBk"
inline constexpr std::uint32_t kTrailerMagic = 0x64456253;  // "SbEd"

struct FileHeader {
  std::array<char, 8> magic = kFileMagic;
  std::uint32_t version = kFormatVersion;
  std::uint32_t zero = 0;
};

enum class BlockKind : std::uint8_t {
  start = 1,    // the first block: a StartContent, and behind it the name of what was recorded
  records = 2,  // messages and losses
  index = 3,    // IndexEntry, ascending; `totals` are those of the whole recording
};

enum class Packing : std::uint8_t {
  none = 0,
  zstd = 1,  // one frame of Zstandard (RFC 8878)
};

struct Totals {
  std::uint64_t messages = 0;
  std::uint64_t payload_bytes = 0;  // of these messages
  std::uint64_t lost = 0;  // messages that the recorder lost, because they were overwritten before it came to them
  std::uint64_t with_attachments = 0;  // messages that had buffers attached, which are not recorded

  Totals& operator+=(const Totals& other) noexcept {
    messages += other.messages;
    payload_bytes += other.payload_bytes;
    lost += other.lost;
    with_attachments += other.with_attachments;
    return *this;
  }
  bool operator==(const Totals&) const = default;
};

struct BlockHeader {
  std::uint32_t magic = kBlockMagic;
  std::uint32_t header_crc = 0;
  std::uint32_t content_crc = 0;
  BlockKind kind = BlockKind::records;
  Packing packing = Packing::none;
  std::uint16_t zero = 0;
  std::uint64_t offset = 0;  // of this header in the file
  std::uint64_t stored_bytes = 0;
  std::uint64_t content_bytes = 0;
  std::uint64_t first_ns = 0;  // of its records; of all, in the index
  std::uint64_t last_ns = 0;
  Totals totals;
};

struct StartContent {
  std::uint64_t started_ns = 0;  // wall clock, since the epoch, when the recording began
};

enum class RecordKind : std::uint8_t {
  message = 1,
  loss = 2,  // the payload, 8 bytes, is how many messages were lost before the next record
};

inline constexpr std::uint8_t kHadAttachments = 1;  // flag of a message

struct RecordHeader {
  std::uint64_t at_ns = 0;
  std::uint32_t size = 0;
  std::uint16_t type = 0;
  RecordKind kind = RecordKind::message;
  std::uint8_t flags = 0;
};

// Where a block of records begins in the file. Not every block has one: those between are found by going on from it.
struct IndexEntry {
  std::uint64_t offset = 0;
  std::uint64_t first_ns = 0;
};

// The last bytes of the file.
struct Trailer {
  std::uint64_t index_offset = 0;  // of the index block
  std::uint32_t magic = kTrailerMagic;
  std::uint32_t crc = 0;  // of index_offset
};

static_assert(sizeof(FileHeader) == 16);
static_assert(sizeof(BlockHeader) == 88 && offsetof(BlockHeader, offset) == 16 && offsetof(BlockHeader, totals) == 56);
static_assert(sizeof(RecordHeader) == 16 && offsetof(RecordHeader, kind) == 14);
static_assert(sizeof(IndexEntry) == 16);
static_assert(sizeof(Trailer) == 16);
static_assert(std::is_trivially_copyable_v<BlockHeader> && std::is_trivially_copyable_v<RecordHeader>);

}  // namespace sapbuf::recording
