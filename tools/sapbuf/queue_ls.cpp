// sapbuf queue ls: the queues of a segment.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/table.hpp"
#include "sapbuf/queue_commands.hpp"

namespace sapbuf::tools {

namespace {

struct QueueLsOptions {
  std::string segment;
  bool json = false;
};

Json queue_json(const Snapshot& snapshot, const FacilitySnapshot& facility) {
  Json json = facility_json(facility.info);
  add_queue(json, *facility.queue);
  const Attached attached = count_attached(participants_of(snapshot, facility.info.name));
  json["producers"] = attached.writers;
  json["consumers"] = attached.readers;
  json["dead"] = attached.dead;
  return json;
}

int ls(const QueueLsOptions& options) {
  const Snapshot snapshot = inspect(options.segment, {.lag = false});
  Json queues = Json::array();
  Table table({{"NAME"},
               {"WAITING", Table::Align::right},
               {"HELD", Table::Align::right},
               {"DEAD LETTERS", Table::Align::right},
               {"SLOTS", Table::Align::right},
               {"GROUPS", Table::Align::right},
               {"BLOCK", Table::Align::right},
               {"POOL"},
               {"PRODUCERS", Table::Align::right},
               {"CONSUMERS", Table::Align::right},
               {"DEAD", Table::Align::right}});
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    if (!facility.queue) continue;
    queues.push_back(queue_json(snapshot, facility));
    QueueGroupSnapshot all;
    for (const QueueGroupSnapshot& group : facility.queue->groups) {
      all.queued += group.queued + group.returned;
      all.held += group.held;
      all.dead += group.dead;
    }
    const Attached attached = count_attached(participants_of(snapshot, facility.info.name));
    const QueueOptions& made = facility.queue->options;
    table.row({printable_name(facility.info.name), human_count(all.queued), human_count(all.held),
               human_count(all.dead), human_count(made.slots), human_count(made.groups), human_bytes(made.block_bytes),
               printable_name(facility.queue->pool), human_count(attached.writers), human_count(attached.readers),
               human_count(attached.dead)});
  }
  if (options.json) {
    print(json_line({{"schema_version", kSchemaVersion}, {"name", snapshot.name}, {"queues", queues}}));
  } else if (table.empty()) {
    spdlog::info("no queues in {}", printable_name(snapshot.name));
  } else {
    print(table.text());
  }
  return kDone;
}

}  // namespace

void add_queue_ls(CLI::App& queue, Action& chosen) {
  auto options = std::make_shared<QueueLsOptions>();
  CLI::App* command = queue.add_subcommand("ls", "List the queues of a segment");
  command->add_option("SEGMENT", options->segment, "The segment")->required();
  command->add_flag("--json", options->json, "One JSON object, for programs");
  command->callback([options, &chosen] { chosen = [options] { return ls(*options); }; });
}

}  // namespace sapbuf::tools
