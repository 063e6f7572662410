#include "sapbuf/queue_text.hpp"

#include <fmt/format.h>

#include "common/human.hpp"
#include "common/table.hpp"
#include "sapbuf/participant_cells.hpp"

namespace sapbuf::tools {

namespace {

using Align = Table::Align;

std::string text_of(const QueueBlock& block) {
  return {reinterpret_cast<const char*>(block.content.data()), block.content.size()};
}

// Without a last character that may not be whole, where the block goes on.
std::string shown_text_of(const QueueBlock& block) {
  std::string text = text_of(block);
  if (text.size() >= block.bytes) return text;
  const auto last_is = [&](unsigned char mask, unsigned char bits) {
    return !text.empty() && (static_cast<unsigned char>(text.back()) & mask) == bits;
  };
  for (int follows = 0; follows < 3 && last_is(0xc0, 0x80); ++follows) text.pop_back();
  if (last_is(0xc0, 0xc0)) text.pop_back();
  return text;
}

std::string who_had(const QueueBlock& block) {
  std::string text;
  for (const DeliveryRecord& note : block.notes) {
    if (!text.empty()) text += ", ";
    text += fmt::format("{} ({}{})", printable_name(note.name), note.pid, note.died ? ", died" : "");
  }
  return text.empty() ? "-" : text;
}

std::string group_table(const QueueSnapshot& queue) {
  Table table({{"GROUP", Align::right},
               {"QUEUED", Align::right},
               {"RETURNED", Align::right},
               {"HELD", Align::right},
               {"DEAD LETTERS", Align::right}});
  for (std::size_t group = 0; group < queue.groups.size(); ++group) {
    const QueueGroupSnapshot& seen = queue.groups[group];
    table.row({human_count(group), human_count(seen.queued), human_count(seen.returned), human_count(seen.held),
               human_count(seen.dead)});
  }
  return table.text();
}

}  // namespace

std::string queue_in_short(const QueueSnapshot& queue) {
  std::uint64_t waiting = 0;
  for (const QueueGroupSnapshot& group : queue.groups) waiting += group.queued + group.returned;
  return fmt::format("{} waiting, room for {} of up to {} in pool {}; {} came, {} left", counted(waiting, "block"),
                     human_count(queue.options.slots), human_bytes(queue.options.block_bytes),
                     printable_name(queue.pool), human_count(queue.pushed), human_count(queue.ended));
}

std::string queue_tables(const ShownParticipants& attached, const QueueSnapshot& queue) {
  Table table(participant_columns({{"HELD", Align::right},
                                   {"PUSHED", Align::right},
                                   {"TAKEN", Align::right},
                                   {"AGAIN", Align::right},
                                   {"ENDED", Align::right},
                                   {"PUT BACK", Align::right},
                                   {"PASSED ON", Align::right},
                                   {"WAITS", Align::right}}));
  const auto row = [&](std::vector<std::string> cells, const std::string& held, const QueueLedger& ledger) {
    cells.insert(cells.end(), {held, human_count(ledger.pushed), human_count(ledger.taken),
                               human_count(ledger.redelivered), human_count(ledger.ended), human_count(ledger.put_back),
                               human_count(ledger.passed), human_count(ledger.waits)});
    table.row(std::move(cells));
  };
  for (const ParticipantSnapshot& one : attached.shown) {
    row(participant_cells(one), human_count(one.held_generations.size()), one.queue_ledger);
  }
  const QueueLedger& gone = queue.departed;
  const std::string departed = fmt::format(
      "{} left or died: {} pushed, {} taken ({} again), {} ended, {} put back, {} passed on, {} dead letters\n",
      counted(queue.departed_participants, "participant"), human_count(gone.pushed), human_count(gone.taken),
      human_count(gone.redelivered), human_count(gone.ended), human_count(gone.put_back), human_count(gone.passed),
      human_count(gone.dead_letters));
  return group_table(queue) + '\n' + attached.text(table, "nobody pushes or pops\n") + departed;
}

Json block_json(const QueueBlock& block) {
  Json had_it = Json::array();
  for (const DeliveryRecord& note : block.notes) {
    had_it.push_back({{"name", note.name}, {"pid", note.pid}, {"died", note.died}, {"at_ns", note.at_ns}});
  }
  const Json key = block.key ? Json(*block.key) : Json();
  Json json{{"position", block.position},     {"group", block.group},   {"state", std::string{block.state}},
            {"deliveries", block.deliveries}, {"type", block.type},     {"key", key},
            {"bytes", block.bytes},           {"age_ms", block.age_ms}, {"due_in_ms", block.due_in_ms},
            {"holder", block.holder}};
  add_bytes(json, "content", shown_text_of(block));
  json["had_it"] = had_it;
  return json;
}

Json taken_json(const TakenBlock& block) {
  const auto key = block.key();
  Json json{{"position", block.position()},
            {"deliveries", block.deliveries()},
            {"type", block.type()},
            {"key", key ? Json(*key) : Json()},
            {"bytes", block.bytes().size()}};
  add_bytes(json, "content", {reinterpret_cast<const char*>(block.bytes().data()), block.bytes().size()});
  return json;
}

std::string block_table(const std::vector<QueueBlock>& blocks) {
  Table table({{"POSITION", Align::right},
               {"GROUP", Align::right},
               {"STATE"},
               {"DELIVERIES", Align::right},
               {"KEY", Align::right},
               {"SIZE", Align::right},
               {"AGE", Align::right},
               {"HELD BY"},
               {"HAD IT"},
               {"BEGINS WITH"}});
  for (const QueueBlock& block : blocks) {
    const std::string state =
        block.due_in_ms == 0
            ? std::string{block.state}
            : fmt::format("{}, in {}", block.state, human_duration(std::chrono::milliseconds{block.due_in_ms}));
    table.row({human_count(block.position), human_count(block.group), state, human_count(block.deliveries),
               block.key ? std::to_string(*block.key) : "-", human_bytes(block.bytes),
               human_duration(std::chrono::milliseconds{block.age_ms}),
               block.holder.empty() ? "-" : printable(block.holder), who_had(block), excerpt(text_of(block), 40)});
  }
  return table.empty() ? "" : table.text();
}

}  // namespace sapbuf::tools
