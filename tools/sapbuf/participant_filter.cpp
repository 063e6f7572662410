#include "sapbuf/participant_filter.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string_view>
#include <tuple>

#include "common/human.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kManyParticipants = 50;
constexpr std::size_t kShownOfMany = 20;

bool matches(const std::string& pattern, std::string_view text) {
  return ::fnmatch(pattern.c_str(), std::string{text}.c_str(), 0) == 0;
}

bool holds(const std::string& pattern, const ParticipantSnapshot& participant) {
  const std::size_t equals = pattern.find('=');
  const std::string field = pattern.substr(0, equals);
  if (field == "role") return matches(pattern.substr(equals + 1), to_string(participant.role));
  if (field == "state") return matches(pattern.substr(equals + 1), to_string(participant.state));
  if (field == "name") return matches(pattern.substr(equals + 1), participant.name);
  return matches(pattern, participant.name);
}

template <typename Value>
std::vector<std::string> words_of(std::initializer_list<Value> values) {
  std::vector<std::string> words;
  for (const Value value : values) words.emplace_back(to_string(value));
  return words;
}

// What somebody mistyped would match nobody, and say that all is well. Empty: it may be.
std::string problem_with(const std::string& pattern) {
  static const std::map<std::string, std::vector<std::string>> fields{
      {"name", {}},
      {"role",
       words_of({Role::writer, Role::reader, Role::user, Role::viewer, Role::editor, Role::producer, Role::consumer})},
      {"state", words_of({Liveness::alive, Liveness::dead, Liveness::hung})}};
  const std::size_t equals = pattern.find('=');
  if (equals == std::string::npos) return {};
  const auto field = fields.find(pattern.substr(0, equals));
  if (field == fields.end()) {
    return fmt::format("'{}' begins with none of name=, role= and state=", printable(pattern));
  }
  const std::string wanted = pattern.substr(equals + 1);
  const auto& words = field->second;
  if (words.empty() || std::ranges::any_of(words, [&](const auto& word) { return matches(wanted, word); })) return {};
  return fmt::format("'{}' is no {}: {}", printable(wanted), field->first, fmt::join(words, ", "));
}

// Who is more likely to be what somebody looks for, the larger it is.
auto interest(const ParticipantSnapshot& participant) {
  const std::uint64_t lag = participant.lag ? participant.lag->messages : 0;
  return std::tuple{participant.state != Liveness::alive, lag, participant.held_generations.size(),
                    participant.heartbeat_age_ms};
}

// "980 writers, 20 readers, 3 of them dead, 1 hung".
std::string numbers_of(const std::vector<ParticipantSnapshot>& participants) {
  std::map<std::string_view, std::uint64_t> roles;
  std::uint64_t dead = 0;
  std::uint64_t hung = 0;
  for (const ParticipantSnapshot& participant : participants) {
    ++roles[to_string(participant.role)];
    dead += participant.state == Liveness::dead ? 1 : 0;
    hung += participant.state == Liveness::hung ? 1 : 0;
  }
  std::string text;
  for (const auto& [role, count] : roles) text += (text.empty() ? "" : ", ") + counted(count, role);
  return fmt::format("{}; {} dead, {} hung", text, human_count(dead), human_count(hung));
}

}  // namespace

bool ParticipantFilter::admits(const ParticipantSnapshot& participant) const {
  return std::all_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return holds(pattern, participant); });
}

void add_participant_filter(CLI::App& command, ParticipantFilter& filter) {
  command
      .add_option(
          "--filter", filter.patterns,
          "Only participants of that name (* and ? stand for anything), of a role (role=reader; writer, user, viewer, "
          "editor, producer, consumer), or in a state (state=dead; alive, hung); several must all hold")
      ->type_name("PATTERN")
      ->check(CLI::Validator{problem_with, ""})
      ->expected(1)
      ->take_all();
  command.add_flag("--all", filter.all,
                   fmt::format("All participants; otherwise, of more than {}, those that are dead or hung, furthest "
                               "behind, or keep most",
                               kManyParticipants));
}

std::string ShownParticipants::text(const Table& table, std::string_view nobody) const {
  const std::string rows = table.empty() ? std::string{} : table.text();
  return (shown.empty() && note.empty() ? std::string{nobody} : "") + rows + note;
}

ShownParticipants choose_shown(std::vector<ParticipantSnapshot> participants, const ParticipantFilter& filter) {
  const std::size_t there = participants.size();
  if (!filter.patterns.empty()) {
    std::erase_if(participants, [&](const ParticipantSnapshot& participant) { return !filter.admits(participant); });
    std::string note = fmt::format("{} of {}\n", human_count(participants.size()), counted(there, "participant"));
    return {std::move(participants), std::move(note)};
  }
  if (filter.all || there <= kManyParticipants) return {std::move(participants), {}};
  std::string note = fmt::format(
      "{} of {} ({}): the dead, the hung, those furthest behind or that keep most; the others: --all, "
      "--filter\n",
      kShownOfMany, counted(there, "participant"), numbers_of(participants));
  std::ranges::stable_sort(participants, std::ranges::greater{}, interest);
  participants.resize(kShownOfMany);
  std::ranges::sort(participants, {}, &ParticipantSnapshot::slot);
  return {std::move(participants), std::move(note)};
}

}  // namespace sapbuf::tools
