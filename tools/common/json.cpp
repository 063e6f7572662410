#include "common/json.hpp"

namespace sapbuf::tools {

namespace {

std::string text(std::string_view view) { return std::string{view}; }

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

Json to_json(const ParticipantSnapshot& participant) {
  Json json{{"slot", participant.slot},
            {"role", text(to_string(participant.role))},
            {"name", participant.name},
            {"pid", participant.pid},
            {"state", text(to_string(participant.state))},
            {"heartbeat_age_ms", participant.heartbeat_age_ms}};
  add_ledger(json, participant.ledger);
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
          {"repaired_frames", record.repaired_frames},
          {"repaired_bytes", record.repaired_bytes},
          {"reclaimed_slabs", record.reclaimed_slabs}};
}

template <class Item>
Json to_array(const std::vector<Item>& items) {
  Json array = Json::array();
  for (const Item& item : items) array.push_back(to_json(item));
  return array;
}

}  // namespace

Json to_json(const Snapshot& snapshot) {
  Json departed{{"participants", snapshot.departed_participants}};
  add_ledger(departed, snapshot.departed);
  return {{"schema_version", kSchemaVersion},
          {"name", snapshot.name},
          {"bytes", snapshot.bytes},
          {"abi", snapshot.abi},
          {"order", text(to_string(snapshot.options.order))},
          {"on_full", text(to_string(snapshot.options.on_full))},
          {"retain", snapshot.options.retain},
          {"awaits_first_reader", snapshot.awaits_first_reader},
          {"generation", snapshot.generation},
          {"slabs", to_array(snapshot.slabs)},
          {"participants", to_array(snapshot.participants)},
          {"departed", departed},
          {"reclaimed_slabs", snapshot.reclaimed_slabs},
          {"journal", to_array(snapshot.journal)}};
}

Json to_json(const DeadParticipant& dead) {
  return {{"slot", dead.slot},
          {"role", text(to_string(dead.role))},
          {"name", dead.name},
          {"pid", dead.pid},
          {"proof", dead.proof},
          {"held_generations", dead.held_generations},
          {"repaired_frames", dead.repaired_frames},
          {"repaired_bytes", dead.repaired_bytes}};
}

std::string json_line(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace) + '\n'; }

}  // namespace sapbuf::tools
