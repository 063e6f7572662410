// The words of shared memory, at the limits of their fields.
#include <boost/test/unit_test.hpp>

#include <cstring>
#include <set>
#include <vector>

#include <sapbuf/layout/cell_geometry.hpp>
#include <sapbuf/layout/header.hpp>
#include <sapbuf/layout/map_geometry.hpp>
#include <sapbuf/layout/pool_geometry.hpp>
#include <sapbuf/layout/queue_geometry.hpp>
#include <sapbuf/layout/stream_geometry.hpp>

namespace sapbuf::layout {
namespace {

constexpr std::uint64_t kEveryGeneration[] = {
    1, 2, (1u << 18) - 1, 1u << 18, (1u << 18) + 1, (std::uint64_t{1} << 47) + 5};

BOOST_AUTO_TEST_SUITE(words)

BOOST_AUTO_TEST_CASE(a_frame_header_keeps_size_type_and_owner_apart) {
  for (const auto kind : {FrameKind::message, FrameKind::busy, FrameKind::nop, FrameKind::extent}) {
    for (const std::uint64_t bytes : {0ull, 1ull, 7ull, 8ull, 0x7fff'ffffull, 0xffff'ffffull}) {
      for (const int type : {0, 1, 65535}) {
        for (const std::uint32_t owner : {0u, 1u, kMaxParticipants - 1, 4095u}) {
          const FrameHeader header = FrameHeader::make(kind, bytes, static_cast<std::uint16_t>(type), owner);
          BOOST_TEST((header.kind() == kind && header.payload_bytes() == bytes && header.type() == type &&
                      header.owner() == owner));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_message_keeps_size_type_and_first_attached_apart) {
  for (const std::uint64_t bytes : {0ull, 1ull, 0xffff'ffffull}) {
    for (const int type : {0, 1, 65535}) {
      for (const std::uint32_t place : {0u, 1u, 4096u, kMaxAttachedPlaces}) {
        MessageHead head = MessageHead::of(static_cast<std::uint16_t>(type));
        BOOST_TEST(head.first_attached() == 0U);
        head.set_first_attached(place);
        BOOST_TEST(head.first_attached() == place);
        const FrameHeader header = FrameHeader::message(bytes, head);
        BOOST_TEST((header.kind() == FrameKind::message && header.payload_bytes() == bytes && header.type() == type &&
                    header.first_attached() == place));
        const FrameHeader without = FrameHeader::message(bytes, static_cast<std::uint16_t>(type));
        BOOST_TEST(without.with_first_attached(place).word == header.word);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_claim_keeps_slot_and_incarnation_apart) {
  for (const std::uint32_t slot : {0u, 1u, kMaxParticipants - 1}) {
    for (const std::uint64_t incarnation : {std::uint64_t{1}, (std::uint64_t{1} << 48) - 1}) {
      const EntryClaim claim = EntryClaim::make(slot, incarnation);
      BOOST_TEST((!claim.is_none() && claim.slot() == slot && claim.incarnation() == incarnation));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_place_keeps_entry_and_hash_apart) {
  for (const std::uint32_t entry : {0u, static_cast<std::uint32_t>(kMaxKeys - 1)}) {
    for (const std::uint64_t hash : {std::uint64_t{0}, ~std::uint64_t{0}}) {
      const IndexPlace place = IndexPlace::make(hash, entry);
      BOOST_TEST((!place.is_unused() && !place.is_gone() && place.may_be(hash) && !place.may_be(~hash)));
      BOOST_TEST(place.entry() == entry);
      BOOST_TEST(!IndexPlace::gone(hash >> 1).may_be(hash));
    }
  }
}

BOOST_AUTO_TEST_CASE(places_that_are_gone_tell_their_tags_apart) {
  std::set<std::uint64_t> words;
  for (unsigned bit = 0; bit < 63; ++bit) {
    const IndexPlace place = IndexPlace::gone(std::uint64_t{1} << bit);
    BOOST_TEST((place.is_gone() && !place.is_unused()));
    BOOST_TEST(words.insert(place.word).second);
  }
}

BOOST_AUTO_TEST_CASE(a_count_of_keys_may_be_negative) {
  for (const std::uint64_t keys : {std::uint64_t{0}, kMaxKeys, ~std::uint64_t{0}, std::uint64_t{0} - kMaxKeys}) {
    for (const Counting what : {Counting::none, Counting::insertion, Counting::erasure, Counting::transaction}) {
      const KeyCount count = KeyCount::make(keys, what);
      BOOST_TEST((count.what() == what));
      BOOST_TEST(KeyCount::modulo(count.keys() + 5) == KeyCount::modulo(keys + 5));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_link_keeps_pool_end_and_next_place_apart) {
  for (const std::uint32_t pool : {0u, 1u, ~0u}) {
    for (const std::uint32_t place : {0u, 1u, kMaxAttachedPlaces}) {
      for (const bool ends : {false, true}) {
        const AttachedLink link = AttachedLink::make(pool, place, ends);
        BOOST_TEST((link.pool() == pool && link.next() == place && link.ends_message() == ends));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_word_of_zero_is_no_frame_and_no_frame_is_zero) {
  BOOST_TEST((FrameHeader{0}.kind() == FrameKind::none));
  BOOST_TEST(FrameHeader::message(0, 0).word != 0U);
  BOOST_TEST(FrameHeader::nop(8).word != 0U);
  BOOST_TEST(FrameHeader::make(FrameKind::busy, 0).word != 0U);
}

BOOST_AUTO_TEST_CASE(a_frame_spans_its_header_and_its_padded_payload) {
  for (const auto& [payload, span] : {std::pair{0u, 8u}, {1, 16}, {7, 16}, {8, 16}, {9, 24}, {16, 24}, {17, 32}}) {
    BOOST_TEST(frame_span(payload) == span);
    BOOST_TEST(FrameHeader::message(payload, 9).span() == span);
  }
  BOOST_TEST(FrameHeader::message(0xffff'ffff, 0).span() == 0x1'0000'0008u);
  for (const std::uint64_t bytes : {8ull, 16ull, 4096ull, 1ull << 32})
    BOOST_TEST(FrameHeader::nop(bytes).span() == bytes);
}

BOOST_AUTO_TEST_CASE(a_cursor_keeps_generation_slab_and_offset_apart) {
  for (const std::uint64_t generation : kEveryGeneration) {
    for (const std::uint32_t slab : {0u, 1u, kMaxSlabs - 1}) {
      for (const std::uint64_t units : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 40) - 1}) {
        const Cursor cursor = Cursor::make(generation, slab, units);
        BOOST_TEST((cursor.is_in(generation) && !cursor.is_in(generation + 1) && !cursor.is_in(generation - 1)));
        BOOST_TEST(cursor.slab() == slab);
        BOOST_TEST(cursor.offset_bytes() == units * kUnitBytes);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_cursor_that_everybody_overshoots_keeps_its_slab_and_generation) {
  Word word{Cursor::make(7, kMaxSlabs - 1, kMaxSlabBytes / kUnitBytes).word};
  for (std::uint32_t i = 0; i < kMaxParticipants; ++i) word.fetch_add(kMaxSlabBytes / kUnitBytes);
  const Cursor cursor{word.load()};
  BOOST_TEST(cursor.is_in(7));
  BOOST_TEST(cursor.slab() == kMaxSlabs - 1);
  BOOST_TEST(cursor.offset_bytes() == (kMaxParticipants + 1) * kMaxSlabBytes);
}

BOOST_AUTO_TEST_CASE(a_claim_is_none_or_claiming_or_located) {
  BOOST_TEST((!Claim{0}.is_claiming() && !Claim{0}.is_located() && !Claim{0}.is_in(0)));
  for (const std::uint64_t sequence : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0} >> 1, ~std::uint64_t{0}}) {
    const Claim claim = Claim::claiming(sequence);
    BOOST_TEST((claim.is_claiming() && !claim.is_located() && !claim.is_in(sequence)));
  }
  BOOST_TEST(Claim::claiming(1).word != Claim::claiming(2).word);
  for (const std::uint64_t generation : kEveryGeneration) {
    for (const std::uint32_t slab : {0u, 1u, kMaxSlabs - 1}) {
      for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{8}, kMaxSlabBytes - 8}) {
        const Claim claim = Claim::located(generation, slab, offset);
        BOOST_TEST((claim.is_located() && !claim.is_claiming()));
        BOOST_TEST((claim.is_in(generation) && !claim.is_in(generation + 1)));
        BOOST_TEST((claim.slab() == slab && claim.offset_bytes() == offset));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_extent_keeps_state_owner_length_and_count_apart) {
  for (const auto state : {ExtentState::free, ExtentState::open, ExtentState::closed, ExtentState::last}) {
    for (const std::uint32_t owner : {0u, kMaxParticipants - 1, 4095u}) {
      for (const std::uint64_t granules : {std::uint64_t{1}, kMaxExtentsPerSlab}) {
        for (const std::uint64_t messages : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 30) - 1}) {
          const Extent extent = Extent::make(state, owner, granules, messages);
          BOOST_TEST((extent.state() == state && extent.owner() == owner && extent.granules() == granules &&
                      extent.messages() == messages));
        }
      }
    }
  }
  BOOST_TEST((Extent{0}.state() == ExtentState::free));
  // The count comes from a ledger in shared memory.
  BOOST_TEST((Extent::make(ExtentState::closed, 1, 1, ~std::uint64_t{0}).state() == ExtentState::closed));
  BOOST_TEST(Extent::make(ExtentState::closed, 1, 1, ~std::uint64_t{0}).owner() == 1U);
}

BOOST_AUTO_TEST_CASE(progress_counts_frames_and_bytes_in_one_addition) {
  Progress progress{Progress::kBusy | Progress::kParity};
  for (int i = 0; i < 3; ++i) progress.word += Progress::kOneMessage + 1000;
  BOOST_TEST((progress.busy() && progress.parity() == 1 && progress.messages() == 3 && progress.bytes() == 3000));
  progress.word = (std::uint64_t{1} << 62) - 1;
  BOOST_TEST((!progress.busy() && progress.parity() == 0));
  BOOST_TEST(progress.messages() == (1U << 30) - 1);
  BOOST_TEST(progress.bytes() == 0xffff'ffffu);
}

BOOST_AUTO_TEST_CASE(a_switch_of_progress_selects_the_other_record_and_starts_from_nothing) {
  for (const bool busy : {false, true}) {
    Progress progress{Progress::kBusy + 5 * Progress::kOneMessage + 77};
    for (const unsigned parity : {1u, 0u, 1u}) {
      progress = progress.switched(busy);
      BOOST_TEST((progress.parity() == parity && progress.busy() == busy));
      BOOST_TEST((progress.messages() == 0 && progress.bytes() == 0));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_registration_keeps_incarnation_role_and_state_apart) {
  for (const std::uint64_t incarnation : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 48) - 1}) {
    for (const auto role : {SlotRole::none, SlotRole::writer, SlotRole::reader}) {
      for (const auto state : {SlotState::free, SlotState::attached, SlotState::leaving, SlotState::attaching}) {
        const SlotRegistration registration = SlotRegistration::make(incarnation, role, state);
        BOOST_TEST((registration.incarnation() == incarnation && registration.role() == role &&
                    registration.state() == state));
        BOOST_TEST(registration.in_use() == (state != SlotState::free));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_slabs_life_keeps_generation_and_state_apart) {
  for (const std::uint64_t generation : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 61) - 1}) {
    for (const auto state :
         {SlabState::free, SlabState::active, SlabState::sealed, SlabState::reclaiming, SlabState::cleaning}) {
      const SlabLife life = SlabLife::make(generation, state);
      BOOST_TEST((life.generation() == generation && life.state() == state));
      BOOST_TEST(life.readable() == (state == SlabState::active || state == SlabState::sealed));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_request_keeps_kind_and_ticket_or_index_apart) {
  BOOST_TEST(Request{}.is_none());
  for (const std::uint64_t ticket : {std::uint64_t{1}, (std::uint64_t{1} << 61) - 1}) {
    const Request waits = Request::waits(ticket);
    BOOST_TEST((waits.is_waiting() && !waits.is_given() && !waits.is_listening() && waits.ticket() == ticket));
    const Request listens = Request::listens(ticket);
    BOOST_TEST((listens.is_listening() && !listens.is_waiting() && !listens.is_given() && listens.ticket() == ticket));
  }
  for (const std::uint32_t index : {0u, static_cast<std::uint32_t>(kMaxBuffers - 1)}) {
    const Request given = Request::given(index);
    BOOST_TEST((given.is_given() && !given.is_none() && !given.is_waiting() && given.index() == index));
    const Request left = Request::left(index);
    BOOST_TEST((left.is_left() && !left.is_none() && !left.is_given() && left.index() == index));
    BOOST_TEST((left.being_freed().is_left() && left.being_freed().index() == index));
    BOOST_TEST((left.being_freed().is_being_freed() && !left.is_being_freed()));
  }
}

// A change of this number is a change of what is in memory: raise kAbiVersion with it, then pin the new number here.
BOOST_AUTO_TEST_CASE(the_layout_is_the_one_of_this_abi_version) {
  BOOST_TEST(kAbiVersion == 2U);
  BOOST_TEST(layout_hash() == 10443809314724438901u);
  BOOST_TEST(stream_layout_hash() == 17331454330947114070u);
  BOOST_TEST(pool_layout_hash() == 7922765579686728483u);
  BOOST_TEST(map_layout_hash() == 11769090176488712795u);
  BOOST_TEST(queue_layout_hash() == 7208661582363204878u);
  BOOST_TEST(cell_layout_hash() == 3791282151356251250u);
}

// Two fields of one size that change places leave every size and offset as it was.
BOOST_AUTO_TEST_CASE(a_layout_hash_sees_any_two_fields_that_change_places) {
  const auto hash_of = [](std::span<const Field> fields) { return LayoutHash{}.add(fields, 4096).value(); };
  const std::span<const Field> structs[] = {kSegmentHeaderFields,   kSegmentGeometryFields, kDirectoryEntryFields,
                                            kControlFields,         kParticipantSlotFields, kFacilityHeadFields,
                                            kJournalEntryFields,    kEventFields,           kStreamControlFields,
                                            kDepartedRecordFields,  kStreamSlotFields,      kLedgerRecordFields,
                                            kSlabDescriptorFields,  kPoolControlFields,     kPoolSlotFields,
                                            kDepartedUsersFields,   kMapControlFields,      kMapSlotFields,
                                            kDepartedEditorsFields, kMapEntryFields,        kAboutValueFields,
                                            kQueueControlFields,    kQueueGroupFields,      kQueueSlotFields,
                                            kQueueEntryFields,      kDeliveryNoteFields,    kDepartedParticipantsFields,
                                            kCellControlFields,     kCellSlotFields};
  for (const std::span<const Field> fields : structs) {
    std::set<std::uint64_t> hashes{hash_of(fields)};
    std::size_t tried = 1;
    for (std::size_t one = 0; one < fields.size(); ++one) {
      for (std::size_t other = 0; other < one; ++other) {
        std::vector<Field> swapped(fields.begin(), fields.end());
        std::swap(swapped[one].name, swapped[other].name);
        hashes.insert(hash_of(swapped));
        ++tried;
      }
    }
    BOOST_TEST(hashes.size() == tried);
  }
}

BOOST_AUTO_TEST_CASE(a_list_of_fields_that_leaves_one_out_covers_nothing) {
  for (std::size_t left_out = 0; left_out < std::size(kParticipantSlotFields); ++left_out) {
    std::vector<Field> fields(std::begin(kParticipantSlotFields), std::end(kParticipantSlotFields));
    BOOST_TEST(covers(fields, sizeof(ParticipantSlot)));
    const std::size_t bytes = fields[left_out].bytes;
    fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(left_out));
    BOOST_TEST(!covers(fields, sizeof(ParticipantSlot)), "without " << left_out << ", of " << bytes << " bytes");
  }
}

BOOST_AUTO_TEST_CASE(the_magic_can_be_read_in_a_dump_of_the_file) {
  char text[8];
  const std::uint64_t magic = kMagic;
  std::memcpy(text, &magic, sizeof text);
  BOOST_TEST(std::string(text) == "SAPBUF");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::layout
