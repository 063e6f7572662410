// Segments in memory that the caller supplies.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "platform/kept_descriptor.hpp"
#include "platform/system_error.hpp"
#include "segment/creation.hpp"
#include "segment/facility.hpp"
#include "segment/segment_header.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::SegmentHeader;

// Memory without a descriptor belongs to one process. Its locks live in a memfd that all segments on that memory share,
// and that this process finds by the creation id as long as one of them is open.
using OwnedDescriptor = std::shared_ptr<platform::KeptDescriptor>;

// Closes it at the end of a block, however that is left.
struct Closing {
  const int descriptor;
  ~Closing() { ::close(descriptor); }
};

OwnedDescriptor make_lock_file() {
  const auto kept = std::make_shared<platform::KeptDescriptor>();
  const int made = ::memfd_create("sapbuf-locks", MFD_CLOEXEC);
  if (made < 0) platform::throw_system_error(errno, "cannot make a memfd for the segment's locks");
  const Closing closing{made};
  const auto identity = platform::identity_of(made);
  if (!identity) platform::throw_system_error(errno, "cannot look at the memfd for the segment's locks");
  const std::string path = "/proc/thread-self/fd/" + std::to_string(made);
  const int error = kept->open(path.c_str(), O_RDWR, *identity);
  if (error != 0) platform::throw_system_error(error, "cannot open the memfd for the segment's locks");
  return kept;
}

// Makes the file if there is none yet and `make` says so; otherwise there may be nothing.
OwnedDescriptor private_lock_file(std::uint64_t creation_id, bool make) {
  static std::mutex mutex;
  // By process, too: a child made by fork has a copy of the memory, and must not share its parent's locks.
  static auto* const files = new std::map<std::pair<std::uint64_t, pid_t>, std::weak_ptr<platform::KeptDescriptor>>;
  const std::lock_guard guard{mutex};
  std::erase_if(*files, [](const auto& file) { return file.second.expired(); });
  const std::pair key{creation_id, ::getpid()};
  if (const auto found = files->find(key); found != files->end()) {
    if (OwnedDescriptor file = found->second.lock()) return file;
  }
  if (!make) return nullptr;
  const OwnedDescriptor file = make_lock_file();
  files->insert_or_assign(key, file);
  return file;
}

std::shared_ptr<SegmentCore> core_in_memory(const Memory& memory, const SegmentHeader& header) {
  if (memory.descriptor >= 0) return std::make_shared<SegmentCore>(memory, memory.descriptor, nullptr, header);
  OwnedDescriptor file = private_lock_file(header.creation_id, true);
  const int descriptor = file->is_ours() ? file->number() : -1;
  return std::make_shared<SegmentCore>(memory, descriptor, std::move(file), header);
}

void check_memory(const Memory& memory, std::uint64_t needed) {
  if (reinterpret_cast<std::uintptr_t>(memory.bytes.data()) % layout::kLineBytes != 0) {
    throw Error(Errc::invalid_argument, "the supplied memory must be aligned to 64 bytes");
  }
  if (memory.bytes.size() < needed) {
    throw Error(Errc::no_space, "the supplied memory has " + std::to_string(memory.bytes.size()) + " bytes; " +
                                    std::to_string(needed) + " are needed");
  }
}

// Whether anybody holds one of the library's locks on the file. Locks for reading do not count: they are none of them.
bool is_in_use(int descriptor) {
  struct flock any {};
  any.l_type = F_RDLCK;
  any.l_whence = SEEK_SET;
  any.l_start = static_cast<off_t>(layout::kLockBase);  // up to the end, wherever that is
  if (::fcntl(descriptor, F_OFD_GETLK, &any) != 0) {
    platform::throw_system_error(errno, "cannot ask whether the supplied memory is in use");
  }
  return any.l_type != F_UNLCK;
}

// The locks say whether anybody is there, whatever the bytes say. Memory without a descriptor is known by the creation
// id that stands in it.
void refuse_if_in_use(const Memory& memory) {
  OwnedDescriptor own;
  if (memory.descriptor < 0) {
    const auto& header = *reinterpret_cast<const SegmentHeader*>(memory.bytes.data());
    if (header.magic == layout::kMagic) own = private_lock_file(header.creation_id, false);
    if (!own) return;
  }
  if (own && !own->is_ours()) return;  // closed by somebody: nobody can be asked
  if (!is_in_use(own ? own->number() : memory.descriptor)) return;
  throw Error(Errc::busy, "the supplied memory holds a segment that somebody is attached to: let them detach first");
}

// What the segment is made of, and nothing else: the rest of the memory is what a pool's users may find in its buffers. First
// the old header, so that what is made here is unfinished until the last store, whatever the memory held.
void zero(std::byte* base, const layout::SegmentGeometry& geometry, std::span<const FacilityPlan> plans) {
  std::fill_n(base, layout::kPageBytes, std::byte{0});
  std::fill_n(base, geometry.regions_at, std::byte{0});
  const std::vector<std::uint64_t> offsets = header::offsets_of(geometry, plans);
  for (std::size_t index = 0; index < plans.size(); ++index) {
    const FacilityPlan& plan = plans[index];
    std::fill_n(base + offsets[index], own_bytes_of(plan.kind, plan.choices, geometry.participants, plan.bytes),
                std::byte{0});
  }
}

}  // namespace

std::shared_ptr<SegmentCore> create_in_memory(Memory memory, const SegmentOptions& options,
                                              std::span<const FacilityPlan> plans) {
  layout::SegmentGeometry geometry = geometry_of(options);
  check_memory(memory, header::end_of_regions(geometry, plans));
  // What is supplied beyond that is room for facilities that are made later.
  geometry.most_bytes = memory.bytes.size() / layout::kPageBytes * layout::kPageBytes;
  std::byte* const base = memory.bytes.data();
  refuse_if_in_use(memory);
  zero(base, geometry, plans);
  header::initialise(base, geometry, plans, [&](std::uint64_t offset, std::uint64_t) { return base + offset; });
  return core_in_memory(memory, *reinterpret_cast<const SegmentHeader*>(base));
}

std::shared_ptr<SegmentCore> open_in_memory(Memory memory) {
  check_memory(memory, layout::kPageBytes);
  HeaderCopy copy;
  copy.bytes = memory.bytes.size();
  header::copy(*reinterpret_cast<const SegmentHeader*>(memory.bytes.data()), copy.header);
  if (header::is_unfinished(copy.header))
    throw Error(Errc::not_found, "there is no finished segment in the supplied memory");
  header::validate(copy, "the segment in the supplied memory");
  return core_in_memory(memory, copy.header);
}

}  // namespace SAPBUF_DETAIL
