// Named places between two stores where a test can stop or kill the process. In release builds they are nothing at all.
#pragma once

#ifdef SAPBUF_KILL_POINTS

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string_view>

// The last line: of the tests' own.
// clang-format off
#define SAPBUF_KILL_POINTS_OF(X)                                                                                      \
  X(abort_filled) X(attach_attached) X(attach_begun) X(attach_filled) X(attach_locked) X(attach_skipping) X(attached_claimed) X(attached_linked)             \
  X(chunk_changed) X(chunk_awaited) X(chunk_changing) X(chunk_freed) X(chunk_joined) X(chunk_joining) X(chunk_parting) X(chunk_seen_free) X(chunk_tailed) X(block_formed) X(chunk_marked) X(chunk_settled)  \
  X(chunk_split) X(chunk_taken) X(claim_announced) X(claim_busy) X(claim_opened) X(claim_taken) X(close_recorded) X(close_revoked)                  \
  X(commit_counted) X(commit_filled) X(commit_published) X(create_allocated) X(create_filled) X(create_fits)          \
  X(create_header) X(create_made) X(create_named) X(create_ready) X(departed_before_switch) X(descriptor_opened)      \
  X(detach_leaving) X(detach_settled) X(directory_allocated) X(directory_begun) X(directory_cleared) X(directory_clearing) \
  X(directory_closing) X(directory_initialised) X(directory_making) X(directory_placed) X(directory_ready) X(ended_suspected) X(event_told) X(extent_filled) \
  X(durable_cleared) X(durable_held) X(durable_left) X(durable_owned) X(durable_stored) X(durable_taken)  \
  X(extent_written) X(flip_let_go) X(flip_limited) X(flip_moved) X(flip_prepared) X(flip_preparing) X(flip_taken) X(growth_allocated) X(growth_published)     \
  X(hole_filled) X(journal_filled) X(ledger_before_switch) X(newest_looked) X(idle_announced) X(idle_seen) X(idle_taken) X(pool_acknowledged) X(pool_adopting) X(pool_asked) X(pool_counted)     \
  X(pool_found) X(pool_freed) X(pool_given_back) X(pool_grown) X(pool_handed_over) X(pool_inspecting) X(pool_magazine_changed) X(pool_magazine_planned) X(pool_popping) X(pool_put_back) X(pool_reclaimed) X(pool_refilled)    \
  X(pool_rooted) X(pool_promised) X(pool_run_begun) X(pool_rooted_elsewhere) X(pool_rooted_twice) X(pool_shared) X(pool_taken) X(pool_told) X(pool_unrooted) X(pool_waiting) X(reclaim_announced) X(reclaim_cleaned)                    \
  X(reclaim_cleaning) X(reclaim_stepped) X(reclaim_unrooted) X(reclaim_zeroed) X(recover_departed) X(recover_finished) X(recover_freed)                    \
  X(recover_locked) X(recover_noted) X(recover_repaired) X(repair_counted) X(repair_done) X(repair_filled)            \
  X(repair_grace) X(repair_hole) X(scan_asked) X(scan_dying) X(scan_fenced) X(scan_freed) X(scan_looked) X(serve_found) X(serve_given) X(serve_handed) X(unkept_dying) X(unkept_fenced) X(unkept_taken) X(writer_closed) X(writer_filled)                                                    \
  X(map_alive) X(map_announced) X(map_changed) X(map_claimed) X(map_coming) X(map_committed) X(map_compared) X(map_counted) X(map_emptied) X(map_entry_freed) X(map_flipped) X(map_gone) X(map_grown) X(map_guarded) X(map_handed_over) \
  X(map_indexed) X(map_keyed) X(map_looked) X(map_made) X(map_pool_made) X(map_refused) X(map_released) X(map_removed) X(map_rolled) X(map_seen) X(map_settled) X(map_taking) X(map_unclaimed) X(map_used) X(map_waiting)                                         \
  X(cell_begun) X(cell_filled) X(cell_published) X(cell_seen) X(cell_versioned) X(cell_waiting)                                        \
  X(queue_bit_gone) X(queue_bit_set) X(queue_buried) X(queue_described) X(queue_giving_back) X(queue_lapped) X(queue_leaving) X(queue_left) X(queue_looked_away) X(queue_made)  \
  X(queue_lane_claimed) X(queue_lane_leaving) X(queue_lane_left) X(queue_lane_said) X(queue_lane_unsaid) X(queue_parked)  \
  X(queue_pass_said) X(queue_passed) X(queue_passing) X(queue_pool_made) X(queue_released) X(queue_removed) X(queue_renewed) X(queue_returned) X(queue_said)  \
  X(queue_taken) X(queue_taken_back) X(queue_unsaid) X(queue_waiting) X(queue_waiting_said) X(queue_waits)  \
  X(counter_released) X(counter_repaired) X(fuzz_pause)
// clang-format on

namespace sapbuf {

enum class KillPoint : std::uint8_t {
  any,  // for arm
#define SAPBUF_NAME(name) name,
  SAPBUF_KILL_POINTS_OF(SAPBUF_NAME)
#undef SAPBUF_NAME
};

std::string_view to_string(KillPoint point) noexcept;
std::ostream& operator<<(std::ostream& out, KillPoint point);

namespace kill_point {

// Calls `action` when this process comes to `point` for the `nth` time from now on (1: the next time). One at a time per
// process; a new call replaces the old one. The action may end the process, stop it, or return.
void arm(KillPoint point, std::function<void()> action, unsigned nth = 1);
void disarm();
void reached(KillPoint point) noexcept;

}  // namespace kill_point
}  // namespace sapbuf

#define SAPBUF_KILL_POINT(name) ::sapbuf::kill_point::reached(::sapbuf::KillPoint::name)
#else
#define SAPBUF_KILL_POINT(name) static_cast<void>(0)
#endif
