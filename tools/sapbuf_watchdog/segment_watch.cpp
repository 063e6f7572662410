#include "sapbuf_watchdog/segment_watch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace sapbuf::tools {

namespace {

// While something is pending: a live participant is in the middle of a step that will be over in a moment.
constexpr std::chrono::milliseconds kLookAgainAfter{2};
constexpr int kQuickRetries = 5;
// A segment that makes trouble is looked at less often.
constexpr std::chrono::seconds kAfterTrouble{1};

}  // namespace

bool SegmentWatch::tick() {
  next_due_ = Clock::now() + options_.interval;
  try {
    look_or_throw();
    if (given_up_) return true;
    if (!trouble_.empty() && segment_) spdlog::info("{}: can be watched again", name_);
    trouble_.clear();
    return true;
  } catch (const Error& error) {
    // Not finished yet by whoever makes it, or gone in this moment: the next interval will tell.
    if (error.errc() != Errc::not_found) tell_trouble(error.what());
    give_up_if_truncated();
    return error.errc() != Errc::resource_exhausted;
  } catch (const std::exception& error) {
    tell_trouble(error.what());
    return false;
  }
}

void SegmentWatch::look_or_throw() {
  follow_name();
  if (!segment_) return;
  const RecoveryReport report = recover_now();
  pending_ = report.pending;
  if (!pending_) {
    quick_retries_ = 0;
  } else if (quick_retries_++ < kQuickRetries) {
    next_due_ = std::min(next_due_, Clock::now() + kLookAgainAfter);
  } else if (quick_retries_ == kQuickRetries + 1) {
    spdlog::warn("{}: recovery waits: {}", name_, why_pending(*segment_));
  }
  refresh();
}

void SegmentWatch::follow_name() {
  const std::optional<FileIdentity> now = identify_segment(name_);
  if (segment_ && now != identity_) {
    spdlog::info("{}: {}", name_, now ? "replaced by another segment of that name" : "removed");
    let_go();
    waiting_told_ = true;
  }
  if (segment_ || (now && now == given_up_)) return;
  given_up_.reset();
  if (now) {
    segment_ = Segment::open(name_);
    identity_ = *now;  // should another one have taken the name just now, the next look finds out
    spdlog::info("{}: watching", name_);
  } else if (!waiting_told_) {
    spdlog::info("{}: there is no such segment yet; waiting for it", name_);
    waiting_told_ = true;
  }
}

void SegmentWatch::let_go() {
  segment_.reset();
  processes_.clear();
  hung_.clear();
  journal_.clear();
  dead_told_.clear();
  pending_ = false;
  quick_retries_ = 0;
  sudden_ends_ = 0;
  left_alone_ = 0;
}

// Whoever did that would do it again.
void SegmentWatch::give_up_if_truncated() {
  if (!segment_ || !was_truncated(*segment_)) return;
  given_up_ = identity_;
  let_go();
}

RecoveryReport SegmentWatch::recover_now() {
  RecoveryReport report = options_.dry_run ? find_dead(*segment_) : recover(*segment_);
  if (report.left_alone > left_alone_) log_left_alone(name_, report.left_alone);
  left_alone_ = report.left_alone;
  if (options_.dry_run) {
    const auto told_before = [&](const DeadParticipant& dead) {
      return !dead_told_.insert({dead.slot, dead.pid}).second;
    };
    std::erase_if(report.dead, told_before);
    if (report.dead.empty()) return {};
  } else {
    journal_.recovered_here(report);
  }
  log_recovery(name_, report, options_.dry_run);
  Findings findings;
  findings.name = name_;
  findings.add(report);
  tell_json(findings);
  return report;
}

void SegmentWatch::refresh() {
  const Snapshot snapshot = inspect(*segment_, {.hung_after = options_.hung_after, .lag = false});
  // One died behind the look for the dead. Some in a row are believed.
  if (!processes_.update(snapshot)) {
    sudden_ends_ = 0;
  } else if (sudden_ends_++ < kQuickRetries) {
    next_due_ = std::min(next_due_, Clock::now());
  }
  journal_.tell_news(name_, snapshot);
  Findings findings;
  findings.name = name_;
  findings.hung = hung_.update(name_, *segment_, snapshot);
  tell_json(findings);
}

void SegmentWatch::tell_trouble(const std::string& text) {
  next_due_ = std::max(next_due_, Clock::now() + kAfterTrouble);
  if (text == trouble_) return;
  trouble_ = text;
  spdlog::error("{}", text);
}

void SegmentWatch::tell_json(const Findings& findings) {
  if (!options_.json || findings.nothing()) return;
  output_ += json_line({{"schema_version", kSchemaVersion}, {"segments", Json::array({to_json(findings)})}});
}

}  // namespace sapbuf::tools
