#include "common/command_view.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace sapbuf::tools {

namespace {

std::vector<std::string> split_at(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

ValueKind kind_of(std::string_view name, std::string_view type) {
  if (type.empty()) return ValueKind::none;
  if (type.find('|') != std::string_view::npos) return ValueKind::choice;
  if (is_one_of(type, {"FILE", "FOLDER", "PROGRAM"}) || name == "FILE") return ValueKind::file;
  if (name == "NAME" || name.starts_with("SEGMENT")) return ValueKind::segment;
  return ValueKind::text;
}

ArgumentView view_of(const CLI::Option& option) {
  ArgumentView view;
  const bool is_operand = option.get_positional();
  if (is_operand) {
    view.names.push_back(option.get_name(true));
  } else {
    for (const std::string& name : option.get_snames()) view.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) view.names.push_back("--" + name);
  }
  if (option.get_items_expected_max() != 0) view.type = option.get_type_name();
  view.shown_default = option.get_default_str();
  view.description = option.get_description();
  view.kind = kind_of(is_operand ? view.names[0] : "", view.type);
  if (view.kind == ValueKind::choice) view.choices = split_at(view.type, '|');
  view.required = option.get_required();
  view.repeated = option.get_items_expected_max() > 1;
  return view;
}

void add_views(const CLI::App& app, const std::string& path, std::vector<CommandView>& views) {
  CommandView view;
  view.path = path;
  view.description = app.get_description();
  // CLI11 hands the footer down.
  if (app.get_parent() == nullptr || app.get_footer() != app.get_parent()->get_footer()) view.footer = app.get_footer();
  for (const CLI::Option* const option : app.get_options()) {
    if (!option->get_group().empty()) {
      (option->get_positional() ? view.operands : view.options).push_back(view_of(*option));
    }
  }
  std::vector<const CLI::App*> below;
  for (const CLI::App* const command : app.get_subcommands(std::function<bool(const CLI::App*)>{})) {
    if (command->get_group().empty()) continue;
    below.push_back(command);
    view.commands.push_back({command->get_name(), command->get_description()});
  }
  views.push_back(std::move(view));
  for (const CLI::App* const command : below) {
    add_views(*command, path.empty() ? command->get_name() : path + " " + command->get_name(), views);
  }
}

}  // namespace

std::vector<CommandView> command_views(const CLI::App& app) {
  std::vector<CommandView> views;
  add_views(app, {}, views);
  return views;
}

}  // namespace sapbuf::tools
