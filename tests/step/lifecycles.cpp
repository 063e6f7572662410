// Creation and removal: whoever wants the segment, the stream or the pool afterwards gets one that works.
#include "step/experiment.hpp"
#include "support/invariants.hpp"
#include "support/script.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view kOtherStream = "orders";
constexpr std::string_view kPool = "frames";
constexpr PoolOptions kPoolOptions{.buffer_bytes = 64, .count = 8};
constexpr std::uint32_t kMessages = 3;

using Act = void (*)(const std::string& segment_name);

void nothing(const std::string&) {}
void create_segment(const std::string& name) { Segment::create(name, {.slab_bytes = 4096}); }
void open_or_create(const std::string& name) { Segment::open_or_create(name, {.slab_bytes = 4096}); }
void remove_segment(const std::string& name) { Segment::remove(name); }
void create_stream(const std::string& name) { Stream::create(Segment::open(name), kOtherStream, {.slab_bytes = 4096}); }
void remove_stream(const std::string& name) { Stream::remove(Segment::open(name), kOtherStream); }
void create_pool(const std::string& name) { Pool::create(Segment::open(name), kPool, kPoolOptions); }
void remove_pool(const std::string& name) { Pool::remove(Segment::open(name), kPool); }
void open_or_create_pool(const std::string& name) { Pool::open_or_create(Segment::open(name), kPool, kPoolOptions); }
void create_segment_and_stream(const std::string& name) {
  create_segment(name);
  create_stream(name);
}
// One that has been used: its words are not those of a new one.
void create_segment_and_pool(const std::string& name) {
  create_segment(name);
  create_pool(name);
  PoolUser user{Pool::open(Segment::open(name), kPool)};
  Buffer shared = user.acquire();
  shared.share();
  const Buffer local = user.acquire();
}

std::string check_stream(const Stream& stream) {
  Audience audience{stream};
  Writer writer{stream};
  write_messages(writer, 1, 0, kMessages);
  audience.read(10s);
  return audience.size() == kMessages ? "" : "the stream '" + std::string(stream.name()) + "' does not work";
}

std::string check_pool(const Pool& pool) {
  PoolUser user{pool};
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire()) {
    fill(buffer.bytes(), {1, static_cast<std::uint32_t>(all.size())});
    all.push_back(std::move(buffer));
  }
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    if (tag_of(all[i].bytes()) != Tag{1, i}) return "a buffer of the pool is another one's, too";
  }
  return all.size() == kPoolOptions.count ? "" : "the pool has " + std::to_string(all.size()) + " buffers";
}

class LifecycleExperiment final : public Experiment {
 public:
  LifecycleExperiment(Act before, Act act) {
    before(name_);
    victim = std::make_unique<SteppedProcess>([&] {
      const std::string own = name_;
      return [act, own] { act(own); };
    });
    bytes = std::make_unique<SharedBytes>(name_, std::span<const std::byte>{});
  }
  const std::string& segment_name() const override { return name_; }
  std::string judge(Healer) override {
    const Segment segment = Segment::open_or_create(name_, {.slab_bytes = 4096});
    const Stream other = Stream::open_or_create(segment, kOtherStream, {.slab_bytes = 4096});
    const Pool pool = Pool::open_or_create(segment, kPool, kPoolOptions);
    for (const Stream& stream : {Stream::open(segment), other}) {
      if (std::string problem = check_stream(stream); !problem.empty()) return problem;
    }
    if (std::string problem = check_pool(pool); !problem.empty()) return problem;
    return broken_invariant(segment);
  }

 private:
  TestName name_;
};

Lifecycle lifecycle(const char* name, Act before, Act act) {
  return {name, [before, act] { return std::make_unique<LifecycleExperiment>(before, act); }};
}

}  // namespace

std::vector<Lifecycle> lifecycles() {
  return {
      lifecycle("create", &nothing, &create_segment),
      lifecycle("open_or_create", &create_segment, &open_or_create),
      lifecycle("remove", &create_segment, &remove_segment),
      lifecycle("create_stream", &create_segment, &create_stream),
      lifecycle("remove_stream", &create_segment_and_stream, &remove_stream),
      lifecycle("create_pool", &create_segment, &create_pool),
      lifecycle("open_or_create_pool", &create_segment, &open_or_create_pool),
      lifecycle("remove_pool", &create_segment_and_pool, &remove_pool),
  };
}

}  // namespace sapbuf::test
