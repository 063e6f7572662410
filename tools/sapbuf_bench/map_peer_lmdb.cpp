// LMDB in /dev/shm: a read transaction that is reset and renewed for each reading, and a write transaction for each value,
// committed without a sync.
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "map_peers.hpp"

namespace sapbuf::bench {
namespace {

void must(int status) {
  if (status != 0) throw std::runtime_error(std::string("LMDB: ") + mdb_strerror(status));
}

MDB_val key_of(std::uint64_t& key) noexcept { return {sizeof key, &key}; }

// An environment must not be inherited: each process opens it.
class Environment {
 public:
  Environment(const std::string& folder, const MapShape& shape, LmdbPages pages) {
    must(mdb_env_create(&environment_));
    // While a reader does not get on, amid a transaction, the writer needs new pages for all that it writes. They are taken
    // when they are touched.
    must(mdb_env_set_mapsize(environment_, (shape.keys * (shape.value_bytes + 256) + (256u << 20)) * 4));
    must(
        mdb_env_open(environment_, folder.c_str(), MDB_NOSYNC | (pages == LmdbPages::mapped ? MDB_WRITEMAP : 0), 0600));
    MDB_txn* transaction;
    must(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    must(mdb_dbi_open(transaction, nullptr, MDB_INTEGERKEY | MDB_CREATE, &table_));
    must(mdb_txn_commit(transaction));
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { mdb_env_close(environment_); }
  MDB_env* get() const noexcept { return environment_; }
  MDB_dbi table() const noexcept { return table_; }

  void put_all(const MapShape& shape) {
    MDB_txn* transaction;
    must(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    for (std::uint64_t key = 0; key < shape.keys; ++key) put_in(transaction, key, shape.value_bytes, 0);
    must(mdb_txn_commit(transaction));
  }
  void put(std::uint64_t key, std::size_t bytes, std::uint64_t word) {
    MDB_txn* transaction;
    must(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    put_in(transaction, key, bytes, word);
    must(mdb_txn_commit(transaction));
  }

 private:
  void put_in(MDB_txn* transaction, std::uint64_t key, std::size_t bytes, std::uint64_t word) {
    MDB_val name = key_of(key);
    MDB_val value{bytes, nullptr};
    must(mdb_put(transaction, table_, &name, &value, MDB_RESERVE));
    fill(static_cast<std::byte*>(value.mv_data), bytes, word);
  }

  MDB_env* environment_ = nullptr;
  MDB_dbi table_ = 0;
};

class Place {
 public:
  Place(const MapShape& shape, LmdbPages pages) : shape_(shape), pages_(pages) {
    static unsigned made = 0;
    folder_ = "/dev/shm/sapbuf-bench.lmdb-" + std::to_string(++made) + "." + std::to_string(::getpid());
    if (::mkdir(folder_.c_str(), 0700) != 0) throw std::runtime_error("no folder for LMDB");
    Environment environment{folder_, shape_, pages_};
    environment.put_all(shape);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::unique_ptr<Environment> open() const { return std::make_unique<Environment>(folder_, shape_, pages_); }
  const MapShape& shape() const noexcept { return shape_; }

 private:
  const MapShape shape_;
  const LmdbPages pages_;
  std::string folder_;
};

class Reading final : public MapReading {
 public:
  explicit Reading(const Place& place) : environment_(place.open()), shape_(place.shape()) {
    must(mdb_txn_begin(environment_->get(), nullptr, MDB_RDONLY, &transaction_));
    mdb_txn_reset(transaction_);
  }
  ~Reading() override { mdb_txn_abort(transaction_); }
  std::uint64_t read(std::uint64_t first, std::uint64_t times) override {
    std::uint64_t sum = 0;
    KeyOrder keys{shape_, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      must(mdb_txn_renew(transaction_));
      std::uint64_t key = keys.next();
      MDB_val name = key_of(key);
      MDB_val value;
      must(mdb_get(transaction_, environment_->table(), &name, &value));
      sum += sum_of(static_cast<const std::byte*>(value.mv_data), value.mv_size);
      mdb_txn_reset(transaction_);
    }
    return sum;
  }

 private:
  const std::unique_ptr<Environment> environment_;
  const MapShape shape_;
  MDB_txn* transaction_ = nullptr;
};

class Writing final : public MapWriting {
 public:
  explicit Writing(const Place& place) : environment_(place.open()), shape_(place.shape()) {}
  void write(std::uint64_t first, std::uint64_t times) override {
    KeyOrder keys{shape_, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      environment_->put(keys.next(), shape_.value_bytes, i);
    }
  }

 private:
  const std::unique_ptr<Environment> environment_;
  const MapShape shape_;
};

}  // namespace

MapPeer map_peer_lmdb(const MapShape& shape, LmdbPages pages) {
  const auto place = std::make_shared<const Place>(shape, pages);
  return {pages == LmdbPages::mapped ? "LMDB, MDB_WRITEMAP" : "LMDB", [=] { return std::make_unique<Reading>(*place); },
          [=] { return std::make_unique<Writing>(*place); }};
}

}  // namespace sapbuf::bench
