#include "soak/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/human.hpp"

namespace sapbuf::soak {
namespace {

using tools::human_bytes;
using tools::human_count;
using Json = nlohmann::ordered_json;

enum class Span { noticed, finished };

Distribution spans(const std::vector<Death>& deaths, Span which) {
  std::vector<std::uint64_t> values;
  for (const Death& death : deaths) {
    values.push_back(which == Span::noticed ? death.noticed_ns - death.kill_ns : death.finished_ns - death.noticed_ns);
  }
  return distribution(std::move(values));
}

std::string describe(const Distribution& d) {
  if (d.count == 0) return "none";
  return fmt::format("median {}, p99 {}, max {} ({} deaths)", short_time(d.median), short_time(d.p99),
                     short_time(d.max), d.count);
}

const Stall* longest_stall(const Report& report, Role role, Watched watched) {
  const Stall* longest = nullptr;
  for (const Stall& stall : report.sum.stalls) {
    const bool fits = stall.role == role && stall.watched == watched && (stall.waits || role == Role::none);
    if (fits && (longest == nullptr || stall.length_ns > longest->length_ns)) longest = &stall;
  }
  return longest;
}

std::string describe(const Stall* stall) {
  if (stall == nullptr) return "none";
  return fmt::format("{} (round {}, {})", short_time(stall->length_ns), stall->round, stall->who);
}

constexpr struct {
  Watched watched;
  const char* words;
  const char* key;
} kWatched[] = {{Watched::yes, "with watchdog", "with_watchdog"},
                {Watched::no, "without watchdog", "without_watchdog"},
                {Watched::partly, "while it came or went", "watchdog_partly"}};

constexpr struct {
  Role role;
  const char* words;
  const char* key;
} kStallers[] = {{Role::writer, "producer that blocks", "producer"},
                 {Role::reader, "reader", "reader"},
                 {Role::none, "process that only naps", "idle"}};

Json to_json(const Distribution& d) {
  return {{"count", d.count}, {"median_ns", d.median}, {"p99_ns", d.p99}, {"max_ns", d.max}};
}

Json to_json(const Death& death) {
  return {{"round", death.round},
          {"role", to_string(death.role)},
          {"kill_ns", death.kill_ns},
          {"noticed_after_ns", death.noticed_ns - death.kill_ns},
          {"finished_after_ns", death.finished_ns - death.kill_ns},
          {"watchdog", death.watched == Watched::yes  ? "yes"
                       : death.watched == Watched::no ? "no"
                                                      : "partly"},
          {"while_somebody_was_stopped", death.while_stopped},
          {"found_after_the_round", death.nobody_needed}};
}

void add_times(const Report& report, std::vector<Line>& table) {
  for (const auto& staller : kStallers) {
    for (const auto& when : kWatched) {
      table.push_back({fmt::format("longest stall, {}, {}", staller.words, when.words),
                       describe(longest_stall(report, staller.role, when.watched))});
    }
  }
  for (const auto& when : kWatched) {
    const std::vector<Death> deaths = measured_deaths(report, when.watched);
    table.push_back({fmt::format("kill to noticed, {}", when.words), describe(spans(deaths, Span::noticed))});
    table.push_back({fmt::format("noticed to reclaimed, {}", when.words), describe(spans(deaths, Span::finished))});
  }
}

}  // namespace

void Report::add(const Plan& plan, RoundResult&& round) {
  ++rounds;
  ++rounds_of[fmt::format("{}, {}", to_string(plan.options.order), to_string(plan.options.on_full))];
  for (const auto counter : {&RoundResult::producer_kills,   &RoundResult::reader_kills,
                             &RoundResult::watchdog_kills,   &RoundResult::stops,
                             &RoundResult::restarts,         &RoundResult::departures,
                             &RoundResult::written,          &RoundResult::bytes,
                             &RoundResult::delivered,        &RoundResult::dropped,
                             &RoundResult::aborted,          &RoundResult::abandoned,
                             &RoundResult::overwritten,      &RoundResult::lost,
                             &RoundResult::pool_kills,       &RoundResult::buffers_filled,
                             &RoundResult::buffers_adopted,  &RoundResult::buffers_leaked,
                             &RoundResult::map_kills,        &RoundResult::values_written,
                             &RoundResult::values_read,      &RoundResult::queue_kills,
                             &RoundResult::jobs_released,    &RoundResult::jobs_taken,
                             &RoundResult::jobs_redelivered, &RoundResult::jobs_lost}) {
    sum.*counter += round.*counter;
  }
  sum.cut_short |= round.cut_short;
  const auto append = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  append(sum.violations, round.violations);
  append(sum.deaths, round.deaths);
  append(sum.stalls, round.stalls);
}

std::vector<Death> measured_deaths(const Report& report, Watched watched) {
  std::vector<Death> deaths;
  std::copy_if(report.sum.deaths.begin(), report.sum.deaths.end(), std::back_inserter(deaths), [&](const Death& death) {
    return death.watched == watched && !death.while_stopped && !death.nobody_needed;
  });
  return deaths;
}

std::vector<Line> lines(const Report& report) {
  const RoundResult& sum = report.sum;
  const auto count_deaths = [&](bool Death::*is) {
    return std::count_if(sum.deaths.begin(), sum.deaths.end(), std::mem_fn(is));
  };
  std::vector<Line> table{
      {"duration", fmt::format("{:.0f} s{}", report.seconds, sum.cut_short ? ", interrupted" : "")},
      {"seed", std::to_string(report.seed)},
      {"rounds", human_count(report.rounds)},
      {"violations", human_count(sum.violations.size())},
      {"kills: producers, readers, watchdogs",
       fmt::format("{}, {}, {}", human_count(sum.producer_kills), human_count(sum.reader_kills),
                   human_count(sum.watchdog_kills))},
      {"stops (SIGSTOP, later SIGCONT)", human_count(sum.stops)},
      {"departures of their own accord, new incarnations",
       fmt::format("{}, {}", human_count(sum.departures), human_count(sum.restarts))},
      {"messages committed", fmt::format("{} ({})", human_count(sum.written), human_bytes(sum.bytes))},
      {"messages delivered, all readers", human_count(sum.delivered)},
      {"kills of users of the pool", human_count(sum.pool_kills)},
      {"buffers filled, adopted",
       fmt::format("{}, {}", human_count(sum.buffers_filled), human_count(sum.buffers_adopted))},
      {"kills of readers and writers of the map", human_count(sum.map_kills)},
      {"values written, read", fmt::format("{}, {}", human_count(sum.values_written), human_count(sum.values_read))},
      {"kills of producers and consumers of queues", human_count(sum.queue_kills)},
      {"blocks released, taken, of these once more",
       fmt::format("{}, {}, {}", human_count(sum.jobs_released), human_count(sum.jobs_taken),
                   human_count(sum.jobs_redelivered))},
      {"blocks lost", human_count(sum.jobs_lost)},
      {"buffers leaked", human_count(sum.buffers_leaked)},
      {"lost by readers of block and drop", human_count(sum.lost)},
      {"dropped by writers, and counted", human_count(sum.dropped)},
      {"overwritten before a reader came, and counted", human_count(sum.overwritten)},
      {"aborted; abandoned by death", fmt::format("{}; {}", human_count(sum.aborted), human_count(sum.abandoned))},
      {"deaths in the journal", human_count(sum.deaths.size())},
      {"  of these while somebody was stopped (not in the times)",
       human_count(static_cast<std::uint64_t>(count_deaths(&Death::while_stopped)))},
      {"  of these needed by nobody (found after the round)",
       human_count(static_cast<std::uint64_t>(count_deaths(&Death::nobody_needed)))},
  };
  add_times(report, table);
  return table;
}

std::string as_text(const Report& report) {
  std::string text;
  for (const Line& line : lines(report)) text += fmt::format("{:<64}{}\n", line.what, line.value);
  for (const std::string& violation : report.sum.violations) text += fmt::format("VIOLATION: {}\n", violation);
  if (!report.repeat.empty()) text += fmt::format("to repeat the round: {}\n", report.repeat);
  return text;
}

std::string as_markdown(const Report& report) {
  std::string text = "# Soak\n\n| what | figure |\n|---|---|\n";
  for (const Line& line : lines(report)) text += fmt::format("| {} | {} |\n", line.what, line.value);
  text += "\n| kind of stream | rounds |\n|---|---|\n";
  for (const auto& [kind, rounds] : report.rounds_of) text += fmt::format("| {} | {} |\n", kind, rounds);
  for (const std::string& violation : report.sum.violations) text += fmt::format("\n**Violation**: {}\n", violation);
  if (!report.repeat.empty()) text += fmt::format("\nTo repeat the round: `{}`\n", report.repeat);
  return text + "\n![deaths](soak.svg)\n";
}

std::string as_json(const Report& report) {
  const RoundResult& sum = report.sum;
  Json json{
      {"seed", report.seed},
      {"seconds", report.seconds},
      {"interrupted", sum.cut_short},
      {"rounds", report.rounds},
      {"rounds_of", report.rounds_of},
      {"violations", sum.violations},
      {"repeat", report.repeat},
      {"kills",
       {{"producers", sum.producer_kills},
        {"readers", sum.reader_kills},
        {"watchdogs", sum.watchdog_kills},
        {"pool_users", sum.pool_kills},
        {"map_users", sum.map_kills},
        {"queue_users", sum.queue_kills}}},
      {"buffers", {{"filled", sum.buffers_filled}, {"adopted", sum.buffers_adopted}, {"leaked", sum.buffers_leaked}}},
      {"values", {{"written", sum.values_written}, {"read", sum.values_read}}},
      {"blocks",
       {{"released", sum.jobs_released},
        {"taken", sum.jobs_taken},
        {"redelivered", sum.jobs_redelivered},
        {"lost", sum.jobs_lost}}},
      {"stops", sum.stops},
      {"departures", sum.departures},
      {"restarts", sum.restarts},
      {"committed", sum.written},
      {"committed_bytes", sum.bytes},
      {"delivered", sum.delivered},
      {"lost", sum.lost},
      {"dropped", sum.dropped},
      {"overwritten", sum.overwritten},
      {"aborted", sum.aborted},
      {"abandoned", sum.abandoned}};
  for (const auto& when : kWatched) {
    const std::vector<Death> deaths = measured_deaths(report, when.watched);
    Json& part = json[when.key];
    part["kill_to_noticed"] = to_json(spans(deaths, Span::noticed));
    part["noticed_to_reclaimed"] = to_json(spans(deaths, Span::finished));
    for (const auto& staller : kStallers) {
      const Stall* const stall = longest_stall(report, staller.role, when.watched);
      part["longest_stall_ns"][staller.key] = stall == nullptr ? 0 : stall->length_ns;
    }
  }
  json["deaths"] = Json::array();
  for (const Death& death : sum.deaths) json["deaths"].push_back(to_json(death));
  return json.dump(1) + '\n';
}

}  // namespace sapbuf::soak
