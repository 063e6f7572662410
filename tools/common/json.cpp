#include "common/json.hpp"

#include <boost/algorithm/hex.hpp>
#include <iterator>

#include "common/facility_view.hpp"

namespace sapbuf::tools {

namespace {

std::string text(std::string_view view) { return std::string{view}; }

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

Json to_json(const SlabSnapshot& slab) {
  return {{"index", slab.index},           {"generation", slab.generation},         {"state", slab.state},
          {"used_bytes", slab.used_bytes}, {"capacity_bytes", slab.capacity_bytes}, {"held_by", slab.held_by}};
}

void add_ledger(Json& json, const Ledger& ledger) {
  json["committed"] = ledger.committed;
  json["committed_bytes"] = ledger.committed_bytes;
  json["aborted"] = ledger.aborted;
  json["dropped"] = ledger.dropped;
  json["abandoned"] = ledger.abandoned;
  json["delivered"] = ledger.delivered;
  json["lost"] = ledger.lost;
  json["skipped"] = ledger.skipped;
}

void add_pool_ledger(Json& json, const PoolLedger& ledger) {
  json["acquired"] = ledger.acquired;
  json["hits"] = ledger.hits;
  json["adopted"] = ledger.adopted;
  json["released"] = ledger.released;
  json["attached"] = ledger.attached;
  json["held"] = ledger.held;
  json["reclaimed"] = ledger.reclaimed;
  json["refills"] = ledger.refills;
  json["stolen"] = ledger.stolen;
  json["grown"] = ledger.grown;
  json["waits"] = ledger.waits;
}

void add_queue_ledger(Json& json, const QueueLedger& ledger) {
  json["pushed"] = ledger.pushed;
  json["dropped"] = ledger.dropped;
  json["taken"] = ledger.taken;
  json["redelivered"] = ledger.redelivered;
  json["ended"] = ledger.ended;
  json["put_back"] = ledger.put_back;
  json["passed"] = ledger.passed;
  json["dead_letters"] = ledger.dead_letters;
  json["waits"] = ledger.waits;
}

void add_map_ledger(Json& json, const MapLedger& ledger) {
  json["flipped"] = ledger.flipped;
  json["inserted"] = ledger.inserted;
  json["erased"] = ledger.erased;
  json["waits"] = ledger.waits;
}

Json to_json(const PoolHolder& holder) {
  return {{"slot", holder.slot},
          {"name", holder.name},
          {"buffers", holder.buffers},
          {"bytes", holder.bytes},
          {"oldest_ms", holder.oldest_ms}};
}

Json to_json(const PoolClass& its) { return {{"bytes", its.bytes}, {"buffers", its.buffers}, {"free", its.free}}; }

Json to_json(const ParticipantSnapshot& participant) {
  Json json{{"slot", participant.slot},
            {"role", text(to_string(participant.role))},
            {"name", participant.name},
            {"pid", participant.pid},
            {"state", text(to_string(participant.state))},
            {"heartbeat_age_ms", participant.heartbeat_age_ms}};
  add_ledger(json, participant.ledger);
  if (participant.role == Role::reader) {
    json["lag_messages"] = participant.lag ? Json(participant.lag->messages) : Json();
    json["lag_bytes"] = participant.lag ? Json(participant.lag->bytes) : Json();
  }
  if (participant.role == Role::user) add_pool_ledger(json, participant.pool_ledger);
  if (participant.map_ledger) add_map_ledger(json, *participant.map_ledger);
  if (participant.role == Role::producer || participant.role == Role::consumer) {
    add_queue_ledger(json, participant.queue_ledger);
    json["held"] = participant.held_generations.size();
  }
  if (participant.role == Role::viewer) {
    json["versions"] = participant.held_generations.size();
    json["version_bytes"] = participant.held_bytes;
  }
  return json;
}

Json to_json(const JournalRecord& record) {
  return {{"number", record.number},
          {"slot", record.slot},
          {"role", text(to_string(record.role))},
          {"name", record.name},
          {"pid", record.pid},
          {"proof", record.proof},
          {"noticed_ns", record.noticed_ns},
          {"finished_ns", record.finished_ns},
          {"heartbeat_age_ms", record.heartbeat_age_ms},
          {"held_first", record.held_first},
          {"held_last", record.held_last},
          {"held_count", record.held_count},
          {"held_bytes", record.held_bytes},
          {"repaired_frames", record.repairs},
          {"repaired_bytes", record.repaired_bytes},
          {"reclaimed_slabs", record.released}};
}

template <class Item>
Json to_array(const std::vector<Item>& items) {
  Json array = Json::array();
  for (const Item& item : items) array.push_back(to_json(item));
  return array;
}

Json departed_json(const StreamSnapshot& stream) {
  Json departed{{"participants", stream.departed_participants}};
  add_ledger(departed, stream.departed);
  return departed;
}

Json departed_json(const PoolSnapshot& pool) {
  Json departed{{"participants", pool.departed_users}};
  add_pool_ledger(departed, pool.departed);
  return departed;
}

void add_stream(Json& json, const StreamSnapshot& stream, const std::vector<ParticipantSnapshot>& participants) {
  json["order"] = text(to_string(stream.options.order));
  json["on_full"] = text(to_string(stream.options.on_full));
  json["payload_alignment"] = stream.options.payload_alignment;
  json["durable_readers"] = durable_readers_json(stream.durable_readers, participants);
  json["retain"] = stream.options.retain;
  json["awaits_first_reader"] = stream.awaits_first_reader;
  json["finished_writers"] = stream.finished_writers;
  json["generation"] = stream.generation;
  json["slabs"] = to_array(stream.slabs);
}

void add_no_stream(Json& json) {
  for (const char* key :
       {"order", "on_full", "payload_alignment", "retain", "awaits_first_reader", "finished_writers", "generation"}) {
    json[key] = nullptr;
  }
  json["durable_readers"] = Json::array();
  json["slabs"] = Json::array();
}

Json departed_json(const MapSnapshot& map) {
  Json departed{{"participants", map.departed_participants}};
  add_map_ledger(departed, map.departed);
  return departed;
}

Json to_json(const FacilitySnapshot& facility, const Snapshot& snapshot) {
  Json json = facility_json(facility.info);
  json["created_ns"] = facility.info.created_ns;
  json["recoveries"] = facility.recoveries;
  json["released"] = facility.released;
  const std::vector<ParticipantSnapshot> participants = participants_of(snapshot, facility.info.name);
  if (facility.stream) add_stream(json, *facility.stream, participants);
  if (facility.pool) add_pool(json, *facility.pool);
  if (facility.map) add_map(json, *facility.map);
  if (facility.queue) add_queue(json, *facility.queue);
  if (facility.cell) {
    json["value_bytes"] = facility.cell->value_bytes;
    json["version"] = facility.cell->version;
  }
  json["participants"] = to_array(participants);
  if (facility.pool) json["departed"] = departed_json(*facility.pool);
  if (facility.map) json["departed"] = departed_json(*facility.map);
  if (facility.stream) {
    json["departed"] = departed_json(*facility.stream);
    json["reclaimed_slabs"] = facility.released;
  }
  json["journal"] = to_array(facility.journal);
  return json;
}

}  // namespace

Json durable_readers_json(const std::vector<DurableReaderInfo>& readers,
                          const std::vector<ParticipantSnapshot>& participants) {
  Json array = Json::array();
  for (const DurableReaderInfo& reader : readers) {
    const ParticipantSnapshot* const killed = find_killed(reader, participants);
    Json json{{"name", reader.name}, {"slot", nullptr}, {"dead", killed != nullptr}, {"away_ms", nullptr}};
    if (reader.slot) json["slot"] = *reader.slot;
    if (reader.away_ms) json["away_ms"] = *reader.away_ms;
    json["kept_bytes"] = killed != nullptr ? killed->held_bytes : reader.kept_bytes;
    json["lag_messages"] = reader.behind_messages;
    json["lag_bytes"] = reader.behind_bytes;
    json["max_bytes"] = nullptr;
    json["max_away_ms"] = nullptr;
    if (reader.limits.max_bytes != 0) json["max_bytes"] = reader.limits.max_bytes;
    if (reader.limits.max_away != kForever) json["max_away_ms"] = reader.limits.max_away.count();
    array.push_back(std::move(json));
  }
  return array;
}

Json facility_json(const FacilityInfo& facility) {
  return {{"kind", facility.kind},
          {"name", facility.name},
          {"offset", facility.offset},
          {"bytes", facility.bytes},
          {"most_bytes", facility.most_bytes}};
}

void add_pool(Json& json, const PoolSnapshot& pool) {
  json["buffer_bytes"] = pool.options.buffer_bytes;
  json["alignment"] = pool.options.alignment;
  json["min_bytes"] = pool.options.max_bytes == 0 ? pool.options.buffer_bytes : pool.options.min_bytes;
  json["max_bytes"] = pool.options.max_bytes == 0 ? pool.options.buffer_bytes : pool.options.max_bytes;
  json["piece_bytes"] = pool.options.piece_bytes();
  json["count"] = pool.count;
  json["max_count"] = pool.options.max_count;
  json["grow"] = to_string(pool.options.grow);
  json["in_use"] = pool.in_use;
  json["cached"] = pool.cached;
  json["in_use_bytes"] = pool.in_use_bytes;
  json["cached_bytes"] = pool.cached_bytes;
  json["shared_bytes"] = pool.shared_bytes;
  json["classes"] = to_array(pool.classes);
  json["unbacked"] = pool.unbacked;
  json["acquired"] = pool.acquired;
  json["waits"] = pool.waits;
  json["waiting"] = pool.waiting;
  json["shared"] = pool.shared;
  json["free"] = pool.free;
  json["peak"] = pool.peak;
  json["grown"] = pool.grown;
  json["holders"] = to_array(pool.holders);
  json["present"] = Json::object();
  add_pool_ledger(json["present"], pool.present);
}

void add_map(Json& json, const MapSnapshot& map) {
  json["keys"] = map.keys;
  json["room"] = map.room;
  json["max_keys"] = map.options.max_keys;
  json["key_bytes"] = map.options.key_bytes;
  json["value_bytes"] = map.options.value_bytes;
  json["pool"] = map.pool;
  json["changes"] = map.changes;
  json["present"] = Json::object();
  add_map_ledger(json["present"], map.present);
}

void add_queue(Json& json, const QueueSnapshot& queue) {
  json["slots"] = queue.options.slots;
  json["block_bytes"] = queue.options.block_bytes;
  json["max_deliveries"] = queue.options.max_deliveries;
  json["dead_letters_to"] = queue.options.dead_letters;
  json["keys"] = queue.options.keys;
  json["on_full"] = text(to_string(queue.options.on_full));
  json["pool"] = queue.pool;
  json["came"] = queue.pushed;
  json["left"] = queue.ended;
  json["oldest_ms"] = queue.oldest_ms;
  json["groups"] = Json::array();
  for (const QueueGroupSnapshot& group : queue.groups) {
    json["groups"].push_back(
        {{"queued", group.queued}, {"returned", group.returned}, {"held", group.held}, {"dead_letters", group.dead}});
  }
  json["present"] = Json::object();
  add_queue_ledger(json["present"], queue.present);
  json["departed"] = {{"participants", queue.departed_participants}};
  add_queue_ledger(json["departed"], queue.departed);
}

Json status_json(const Snapshot& snapshot, std::string_view stream) {
  static const FacilitySnapshot none{
      .info = {}, .journal = {}, .stream = {}, .pool = {}, .map = {}, .queue = {}, .cell = {}};
  const FacilitySnapshot* const found = find_stream(snapshot, stream);
  const FacilitySnapshot& shown = found != nullptr ? *found : none;
  Json json{{"schema_version", kStatusSchemaVersion},
            {"name", snapshot.name},
            {"stream", found != nullptr ? Json(text(stream)) : Json()},
            {"bytes", snapshot.bytes},
            {"abi", snapshot.abi}};
  const std::vector<ParticipantSnapshot> participants = participants_of(snapshot, stream);
  shown.stream ? add_stream(json, *shown.stream, participants) : add_no_stream(json);
  json["participants"] = to_array(participants);
  json["departed"] = departed_json(shown.stream.value_or(StreamSnapshot{}));
  json["reclaimed_slabs"] = shown.released;
  json["journal"] = to_array(shown.journal);
  json["facilities"] = Json::array();
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    json["facilities"].push_back(to_json(facility, snapshot));
  }
  return json;
}

Json to_json(const DeadParticipant& dead) {
  return {{"slot", dead.slot},
          {"role", text(to_string(dead.role))},
          {"facility", dead.facility},
          {"name", dead.name},
          {"pid", dead.pid},
          {"proof", dead.proof},
          {"held_generations", dead.held_generations},
          {"held_bytes", dead.held_bytes},
          {"repaired_frames", dead.repairs},
          {"repaired_bytes", dead.repaired_bytes}};
}

void add_bytes(Json& json, const std::string& field, std::string_view bytes) {
  if (is_utf8(bytes)) {
    json[field] = bytes;
    return;
  }
  std::string digits;
  boost::algorithm::hex_lower(bytes.begin(), bytes.end(), std::back_inserter(digits));
  json[field + "_hex"] = digits;
}

std::string json_line(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace) + '\n'; }

}  // namespace sapbuf::tools
