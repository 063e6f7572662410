// The public calls of Map, MapReader, MapEntry, MapWriter and MapDraft.
#include <sapbuf/map.hpp>

#include <algorithm>

#include "map/map_options.hpp"
#include "map/map_reader.hpp"
#include "map/map_writer.hpp"
#include "platform/cancellation.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {

using platform::Uncancellable;

Map::Map(Segment segment, std::shared_ptr<detail::MapCore> core, bool created) noexcept
    : segment_(std::move(segment)), core_(std::move(core)), created_(created) {}

Map Map::create(const Segment& segment, std::string_view name, const MapOptions& options) {
  const Uncancellable to_its_end;
  const std::shared_ptr<detail::SegmentCore>& core = segment.core();
  return core->unless_truncated([&] {
    core->check_not_forked();
    detail::make_map(*core, name, options);
    return Map{segment, detail::open_map(core, name), true};
  });
}

Map Map::open(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] { return Map{segment, detail::open_map(segment.core(), name), false}; });
}

Map Map::open_or_create(const Segment& segment, std::string_view name, const MapOptions& options) {
  const Uncancellable to_its_end;
  const auto find = [&]() -> std::optional<Map> {
    auto there = detail::find_map(segment.core(), name);
    return there ? std::optional(Map{segment, std::move(there), false}) : std::nullopt;
  };
  return detail::find_or_create(find, [&] { return create(segment, name, options); });
}

bool Map::remove(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] {
    segment.core()->check_not_forked();
    return detail::remove_map(*segment.core(), name);
  });
}

const std::string& Map::name() const { return core()->record().name; }
bool Map::created() const {
  core();
  return created_;
}
MapOptions Map::options() const { return detail::options_of(*core()); }
std::vector<std::string> Map::differences(const MapOptions& asked) const {
  return detail::differences(options(), asked);
}
bool Map::is_current() const { return core()->is_current(); }
std::uint64_t Map::size() const {
  core()->segment().check_not_forked();
  return core()->keys();
}
std::size_t Map::max_value_bytes() const { return core()->geometry().value_bytes; }
std::size_t Map::bytes() const { return core()->bytes(); }

const std::shared_ptr<detail::MapCore>& Map::core() const {
  if (core_ == nullptr) throw Error(Errc::invalid_argument, "this map handle was moved from");
  return core_;
}

// --- Reading

MapReader::MapReader(const Map& map, const MapReaderOptions& options) {
  const Uncancellable to_its_end;
  const auto attach = [&] { return std::make_unique<detail::MapReaderState>(map.core(), options); };
  detail::MapReaderState* const state = map.core()->segment().unless_truncated(attach).release();
  const auto let_go = [](detail::MapReaderHot* reader) { static_cast<detail::MapReaderState*>(reader)->let_go(); };
  reader_ = std::shared_ptr<detail::MapReaderHot>(state, let_go);
}

namespace {

detail::MapReaderState& state_of(const std::shared_ptr<detail::MapReaderHot>& reader) {
  if (reader == nullptr) throw Error(Errc::invalid_argument, "this reader of a map was closed or moved from");
  return static_cast<detail::MapReaderState&>(*reader);
}

}  // namespace

MapEntry MapReader::entry(const MapKey& key) const { return state_of(reader_).entry(reader_, key); }

MapValue MapReader::read_next(std::uint32_t& next, std::string_view prefix, std::string& key) const {
  return state_of(reader_).read_next(next, prefix, key);
}

std::uint64_t MapReader::version() const noexcept { return reader_ == nullptr ? 0 : state_of(reader_).version(); }

bool MapReader::wait_changed(std::uint64_t seen, Milliseconds timeout) const noexcept {
  return reader_ != nullptr && state_of(reader_).wait_changed(seen, timeout);
}

int MapReader::event_fd() { return state_of(reader_).event_fd(); }

std::uint32_t MapReader::slot() const noexcept {
  return reader_ == nullptr ? ~std::uint32_t{0} : state_of(reader_).index();
}

void MapReader::close() noexcept {
  if (reader_ == nullptr) return;
  state_of(reader_).close();
  reader_.reset();
}

bool MapEntry::wait_changed(std::uint64_t seen, Milliseconds timeout) noexcept {
  return state_of(reader_).wait_entry_changed(*this, seen, timeout);
}

// --- Writing

MapWriter::MapWriter(const Map& map, const MapWriterOptions& options) {
  const Uncancellable to_its_end;
  writer_ = map.core()->segment().unless_truncated([&] {
    const Pool pool{map.segment(), map.core()->pool(), false};
    return std::make_unique<detail::MapWriterState>(map.core(), pool, options);
  });
}
MapWriter::MapWriter(MapWriter&&) noexcept = default;
MapWriter& MapWriter::operator=(MapWriter&&) noexcept = default;
MapWriter::~MapWriter() { close(); }

void MapWriter::close() noexcept {
  const Uncancellable to_its_end;
  writer_.reset();
}

MapDraft MapWriter::prepare(const MapKey& key, std::size_t bytes) noexcept {
  return writer_ == nullptr ? MapDraft{} : writer_->prepare(key.bytes(), bytes);
}

Status MapWriter::put(const MapKey& key, std::span<const std::byte> value) noexcept {
  MapDraft draft = prepare(key, value.size());
  if (!draft) return draft.status();
  std::copy(value.begin(), value.end(), draft.bytes().begin());
  return draft.flip();
}

Status MapWriter::insert(const MapKey& key, std::span<const std::byte> value) noexcept {
  MapDraft draft = prepare(key, value.size());
  if (!draft) return draft.status();
  std::copy(value.begin(), value.end(), draft.bytes().begin());
  const Status status = draft.flip_if(0);
  return status == Status::version_changed ? Status::exists : status;
}

Status MapWriter::erase(const MapKey& key) noexcept {
  return writer_ == nullptr ? Status::closed : writer_->erase(key.bytes());
}

std::uint32_t MapWriter::slot() const noexcept { return writer_ == nullptr ? ~std::uint32_t{0} : writer_->index(); }

MapWriter::Update::Update(MapWriter& of, const MapKey& key) noexcept : writer(of.writer_.get()) {
  if (writer != nullptr) status = writer->begin_update(key.bytes(), old, fresh);
}

MapWriter::Update::~Update() {
  if (status == Status::ok) writer->unclaim();
}

Status MapWriter::Update::flip() noexcept {
  status = Status::closed;
  return writer->end_update(fresh);
}

void MapDraft::move_to_larger(std::size_t bytes) noexcept {
  if (writer_ != nullptr) writer_->move_to_larger(*this, bytes);
}
Status MapDraft::flip() noexcept { return writer_ == nullptr ? status() : writer_->flip(*this, std::nullopt); }
Status MapDraft::flip_if(std::uint64_t version) noexcept {
  return writer_ == nullptr ? status() : writer_->flip(*this, version);
}

Status Transaction::add(MapDraft&& draft) {
  if (!draft) return draft.status();
  if (writer_->writer_.get() != draft.writer_) return Status::closed;
  const auto before =
      std::find_if(drafts_.begin(), drafts_.end(), [&](const MapDraft& other) { return other.key_ == draft.key_; });
  if (before != drafts_.end()) {
    *before = std::move(draft);
    return Status::ok;
  }
  if (drafts_.size() == kMostKeys) return Status::over_budget;
  drafts_.push_back(std::move(draft));
  return Status::ok;
}

Status Transaction::put(const MapKey& key, std::span<const std::byte> value) {
  MapDraft draft = writer_->prepare(key, value.size());
  if (!draft) return draft.status();
  std::copy(value.begin(), value.end(), draft.bytes().begin());
  return add(std::move(draft));
}

Status Transaction::commit() noexcept {
  return writer_->writer_ == nullptr ? Status::closed : writer_->writer_->commit(drafts_);
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
