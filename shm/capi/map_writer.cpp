#include <sapbuf/map.hpp>

#include "capi/handles.hpp"
#include "capi/keys.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::answer;
using capi::call;
using capi::fail;
using capi::fail_null;
using capi::needed;

struct sapbuf_map_writer {
  MapWriter writer;
};

struct sapbuf_map_draft {
  MapDraft draft;
};

struct sapbuf_transaction {
  Transaction transaction;
};

namespace {

std::span<const std::byte> bytes_of(const void* value, std::size_t size) {
  if (value == nullptr && size != 0) throw Error(Errc::invalid_argument, "value is NULL");
  return {static_cast<const std::byte*>(value), size};
}

}  // namespace

sapbuf_status sapbuf_map_writer_open(sapbuf_map* map, const sapbuf_map_writer_options* options,
                                     sapbuf_map_writer** writer) noexcept {
  return capi::give(writer, [&] {
    const sapbuf_map_writer_options chosen = capi::chosen(options);
    return sapbuf_map_writer{MapWriter{needed(map, "map").map,
                                       {.name = capi::text_or_none(chosen.name),
                                        .timeout = capi::patience_of(chosen.timeout_ns),
                                        .stop = capi::flag_of(chosen.stop)}}};
  });
}

void sapbuf_map_writer_close(sapbuf_map_writer* writer) noexcept { delete writer; }

uint32_t sapbuf_map_writer_slot(const sapbuf_map_writer* writer) noexcept {
  return writer == nullptr ? UINT32_MAX : writer->writer.slot();
}

sapbuf_status sapbuf_map_writer_put(sapbuf_map_writer* writer, sapbuf_key key, const void* value,
                                    size_t size) noexcept {
  return call([&] { return answer(needed(writer, "writer").writer.put(capi::key_of(key), bytes_of(value, size))); });
}

sapbuf_status sapbuf_map_writer_insert(sapbuf_map_writer* writer, sapbuf_key key, const void* value,
                                       size_t size) noexcept {
  return call([&] { return answer(needed(writer, "writer").writer.insert(capi::key_of(key), bytes_of(value, size))); });
}

sapbuf_status sapbuf_map_writer_erase(sapbuf_map_writer* writer, sapbuf_key key) noexcept {
  if (writer == nullptr) return fail_null("writer");
  return answer(writer->writer.erase(capi::key_of(key)));
}

sapbuf_status sapbuf_map_writer_update(sapbuf_map_writer* writer, sapbuf_key key,
                                       bool (*change)(void* context, const void* old, size_t old_size,
                                                      sapbuf_map_draft* fresh),
                                       void* context) noexcept {
  return call([&] {
    needed(change, "change");
    const auto ask = [&](std::span<const std::byte> old, MapDraft& fresh) {
      sapbuf_map_draft lent{std::move(fresh)};
      const bool is_to_be = change(context, old.data(), old.size(), &lent);
      fresh = std::move(lent.draft);
      if (!is_to_be) throw capi::Abandoned{};
    };
    return answer(needed(writer, "writer").writer.update(capi::key_of(key), ask));
  });
}

sapbuf_status sapbuf_map_draft_prepare(sapbuf_map_writer* writer, sapbuf_key key, size_t size,
                                       sapbuf_map_draft** draft) noexcept {
  if (draft == nullptr) return fail_null("the place for the handle");
  *draft = nullptr;
  if (writer == nullptr) return fail_null("writer");
  MapDraft prepared = writer->writer.prepare(capi::key_of(key), size);
  if (!prepared) return fail(prepared.status());
  return capi::give(draft, [&] { return sapbuf_map_draft{std::move(prepared)}; });
}

void* sapbuf_map_draft_bytes(const sapbuf_map_draft* draft, size_t* size) noexcept {
  const bool is_there = draft != nullptr && draft->draft;
  const std::span<std::byte> bytes = is_there ? draft->draft.bytes() : std::span<std::byte>{};
  if (size != nullptr) *size = bytes.size();
  return bytes.data();
}

sapbuf_status sapbuf_map_draft_resize(sapbuf_map_draft* draft, size_t size) noexcept {
  if (draft == nullptr) return fail_null("draft");
  if (!draft->draft) return fail(draft->draft.status());
  if (draft->draft.resize(size).size() == size) return SAPBUF_OK;
  return draft->draft ? fail(SAPBUF_TOO_LARGE) : fail(draft->draft.status());
}

sapbuf_status sapbuf_map_draft_flip(sapbuf_map_draft* draft) noexcept {
  return draft == nullptr ? fail_null("draft") : answer(draft->draft.flip());
}

sapbuf_status sapbuf_map_draft_flip_if(sapbuf_map_draft* draft, uint64_t version) noexcept {
  return draft == nullptr ? fail_null("draft") : answer(draft->draft.flip_if(version));
}

void sapbuf_map_draft_drop(sapbuf_map_draft* draft) noexcept { delete draft; }

sapbuf_status sapbuf_transaction_begin(sapbuf_map_writer* writer, sapbuf_transaction** transaction) noexcept {
  return capi::give(transaction, [&] { return sapbuf_transaction{Transaction{needed(writer, "writer").writer}}; });
}

sapbuf_status sapbuf_transaction_put(sapbuf_transaction* transaction, sapbuf_key key, const void* value,
                                     size_t size) noexcept {
  return call([&] {
    return answer(needed(transaction, "transaction").transaction.put(capi::key_of(key), bytes_of(value, size)));
  });
}

sapbuf_status sapbuf_transaction_add(sapbuf_transaction* transaction, sapbuf_map_draft* draft) noexcept {
  return call([&] {
    return answer(needed(transaction, "transaction").transaction.add(std::move(needed(draft, "draft").draft)));
  });
}

size_t sapbuf_transaction_size(const sapbuf_transaction* transaction) noexcept {
  return transaction == nullptr ? 0 : transaction->transaction.size();
}

sapbuf_status sapbuf_transaction_commit(sapbuf_transaction* transaction) noexcept {
  return transaction == nullptr ? fail_null("transaction") : answer(transaction->transaction.commit());
}

void sapbuf_transaction_drop(sapbuf_transaction* transaction) noexcept { delete transaction; }
