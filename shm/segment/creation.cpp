#include "segment/creation.hpp"

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <optional>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/file_error.hpp"
#include "segment/segment_header.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::SegmentHeader;
using platform::FileAccess;
using platform::FileFacts;
using platform::quoted_segment;
using platform::SharedFile;

// A name that comes and goes: whoever wants one more look than this is told to look who does that.
constexpr int kTries = 100;

// Throws Error unless the file is a segment that this library can use, and says then what it is instead, and whose.
void check_file(const SharedFile& file, std::string_view name, HeaderCopy& copy) {
  header::read(file, copy);
  try {
    header::validate(copy, quoted_segment(name));
  } catch (const Error& error) {
    const FileFacts facts = file.facts();
    throw Error(error.errc(),
                std::string(error.what()) + "; it is " + describe(facts) + ", and " + how_to_remove(facts));
  }
}

// The same of its facilities: each must be where the directory says. Throws Error.
void check_regions(SegmentCore& core, const FileFacts& facts) {
  try {
    directory::list(core);
  } catch (const Error& error) {
    throw Error(error.errc(),
                std::string(error.what()) + "; it is " + describe(facts) + ", and " + how_to_remove(facts));
  }
}

// A name is free for anybody to take. Whoever asks for a segment that nobody else may open does not want one whose
// owner is somebody else (who may read it, and take its pages away), or that was put there under a second name.
void refuse_a_strangers(const FileFacts& facts, std::string_view name) {
  const bool own = facts.owner == ::geteuid() || facts.owner == 0;
  if (own && facts.links <= 1) return;
  throw Error(Errc::permission_denied,
              quoted_segment(name) + " is there already and " +
                  (own ? "has another name as well" : "belongs to somebody else") + " (" + owner_and_mode(facts) +
                  "; this process has " + platform::this_user() +
                  "), and one that nobody else may open was asked for: take another name, or, if this one is to be "
                  "trusted, open it, or ask for the mode that it has");
}

// Nothing if there is none.
std::optional<Obtained> open_if_there(std::string_view name, const SegmentOptions& options) {
  std::optional<SharedFile> file = SharedFile::find(name, FileAccess::read_write);
  if (!file) return std::nullopt;
  const FileFacts facts = file->facts();
  if ((options.mode & 077) == 0) refuse_a_strangers(facts, name);
  HeaderCopy copy;
  check_file(*file, name, copy);
  auto core = std::make_shared<SegmentCore>(std::string(name), *file, copy.header, FileAccess::read_write);
  check_regions(*core, facts);
  return Obtained{std::move(core), false, facts.mode};
}

// Whoever may read a file may take locks for reading on it, and a lock for reading on the byte of the maintenance lock
// keeps everybody from flips and recovery. So nobody may read who is not trusted to write.
void check_mode(unsigned mode) {
  if (mode > 0777 || (mode & 0600) != 0600) {
    throw Error(Errc::invalid_argument, "the mode must be between 0600 and 0777 and let the owner read and write");
  }
  for (const unsigned shift : {3u, 0u}) {
    if ((mode >> shift & 06) != 04) continue;
    char text[8];
    std::snprintf(text, sizeof text, "%04o", mode);
    throw Error(
        Errc::invalid_argument,
        std::string("the mode ") + text + " lets " + (shift == 3 ? "the group" : "others") +
            " read but not write: whoever may read can take file locks that stop writers, readers and recovery, "
            "and even readers have to write to their own slot. Give both (0660, 0666) or neither (0600)");
  }
}

// A whole segment, but for its name.
struct Unnamed {
  SharedFile file;
  std::shared_ptr<SegmentCore> core;
};

// Not what regions may grow to.
void allocate(const SharedFile& file, const layout::SegmentGeometry& geometry, std::span<const FacilityPlan> plans) {
  const std::vector<std::uint64_t> offsets = header::offsets_of(geometry, plans);
  std::uint64_t begin = 0;
  std::uint64_t end = geometry.regions_at;
  for (std::size_t index = 0; index < plans.size(); ++index) {
    if (offsets[index] != end) {
      platform::allocate_range(file.descriptor(), begin, end - begin);
      begin = offsets[index];
    }
    end = offsets[index] + plans[index].bytes;
  }
  platform::allocate_range(file.descriptor(), begin, end - begin);
}

Unnamed make_unnamed(std::string_view name, unsigned mode, const layout::SegmentGeometry& geometry,
                     std::span<const FacilityPlan> plans) {
  SharedFile file = SharedFile::make(mode);
  SAPBUF_KILL_POINT(create_made);
  allocate(file, geometry, plans);
  SAPBUF_KILL_POINT(create_allocated);
  HeaderCopy copy;
  {
    const auto common = file.map(FileAccess::read_write, 0, geometry.regions_at);
    auto* const base = static_cast<std::byte*>(common.get_address());
    std::vector<boost::interprocess::mapped_region> regions;  // until all is written
    header::initialise(base, geometry, plans, [&](std::uint64_t offset, std::uint64_t bytes) {
      regions.push_back(file.map(FileAccess::read_write, offset, bytes));
      return static_cast<std::byte*>(regions.back().get_address());
    });
    header::copy(*reinterpret_cast<const SegmentHeader*>(base), copy.header);
  }
  SAPBUF_KILL_POINT(create_ready);
  auto core = std::make_shared<SegmentCore>(std::string(name), file, copy.header, FileAccess::read_write);
  return {std::move(file), std::move(core)};
}

// What was opened before it had a name is called "deleted" in /proc/PID/maps and by lsof(8) for ever, where people and
// tools look for those who have a segment. So it is opened once more; if that cannot be done, it works as it is.
std::shared_ptr<SegmentCore> open_by_name(std::string_view name, std::shared_ptr<SegmentCore> made) {
  try {
    std::shared_ptr<SegmentCore> again = open_named(name, FileAccess::read_write).core;
    if (again->creation_id() == made->creation_id()) return again;
  } catch (const std::exception&) {
  }
  return made;
}

// Returns if nothing has the name (any more).
void refuse_if_taken(std::string_view name) {
  const platform::PathFacts found = platform::facts_of_path(platform::object_path(name));
  if (found.error != 0) return;  // making it will tell
  std::string text = quoted_segment(name) + " exists already";
  try {
    const std::optional<SharedFile> file = SharedFile::find(name, FileAccess::read_only);
    if (!file) return;
    HeaderCopy copy;
    check_file(*file, name, copy);
  } catch (const Error& error) {
    const bool unusable = error.errc() == Errc::incompatible || error.errc() == Errc::corrupt;
    text += unusable ? std::string(", and no call can use it: ") + error.what() : ", as " + describe(found.facts);
  }
  throw Error(Errc::exists, text);
}

}  // namespace

Obtained open_named(std::string_view name, FileAccess access) {
  SharedFile file = SharedFile::open(name, access);
  const FileFacts facts = file.facts();
  HeaderCopy copy;
  check_file(file, name, copy);
  auto core = std::make_shared<SegmentCore>(std::string(name), file, copy.header, access);
  check_regions(*core, facts);
  return {std::move(core), false, facts.mode};
}

Obtained create_named(std::string_view name, const SegmentOptions& options, std::span<const FacilityPlan> plans,
                      IfExists if_exists) {
  const layout::SegmentGeometry geometry = geometry_of(options);
  check_mode(options.mode);
  std::optional<Unnamed> made;
  for (int tried = 0; tried < kTries; ++tried) {
    if (if_exists == IfExists::fail) {
      refuse_if_taken(name);
    } else if (std::optional<Obtained> there = open_if_there(name, options)) {
      return std::move(*there);
    }
    if (!made) made = make_unnamed(name, options.mode, geometry, plans);
    if (made->file.give_name(name)) {
      SAPBUF_KILL_POINT(create_named);
      return {open_by_name(name, std::move(made->core)), true, options.mode};
    }
  }
  throw Error(Errc::busy, quoted_segment(name) + " is made and removed again all the time by somebody else");
}

}  // namespace SAPBUF_DETAIL
