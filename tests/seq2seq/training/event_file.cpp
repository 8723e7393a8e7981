// What is written is read back by a reader that shares nothing with the writer.
#include <sys/resource.h>
#include <weft/seq2seq/run/event_file.h>
#include <weft/seq2seq/run/metrics_log.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <map>
#include <sstream>

using namespace weft;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

// Bit by bit, as its polynomial says.
uint32_t slow_crc32c(const std::string& bytes) {
  uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

template <class T>
T number_in(const std::string& bytes, size_t at) {
  T value{};
  REQUIRE(bytes.size() >= at + sizeof value);
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

bool has_sum(const std::string& bytes, uint32_t sum) {
  const uint32_t unmasked = sum - 0xa282ead8U;
  return slow_crc32c(bytes) == ((unmasked << 15) | (unmasked >> 17));
}

// The events of a file.
std::vector<std::string> records(const std::string& file) {
  std::vector<std::string> all;
  for (size_t at = 0; at < file.size();) {
    const auto length = number_in<uint64_t>(file, at);
    REQUIRE(has_sum(file.substr(at, 8), number_in<uint32_t>(file, at + 8)));
    all.push_back(file.substr(at + 12, length));
    REQUIRE(has_sum(all.back(), number_in<uint32_t>(file, at + 12 + length)));
    at += 16 + length;
  }
  return all;
}

uint64_t varint_in(const std::string& bytes, size_t& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = number_in<unsigned char>(bytes, at++);
    value |= uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
}

// The fields of a message: number and bytes, those of a varint as text.
std::vector<std::pair<uint64_t, std::string>> fields(const std::string& message) {
  std::vector<std::pair<uint64_t, std::string>> all;
  for (size_t at = 0; at < message.size();) {
    const uint64_t key = varint_in(message, at), type = key & 7;
    if (type == 0) {
      all.emplace_back(key >> 3, std::to_string(varint_in(message, at)));
      continue;
    }
    const size_t size = type == 1 ? 8 : type == 5 ? 4 : varint_in(message, at);
    REQUIRE((type == 1 || type == 2 || type == 5));
    REQUIRE(at + size <= message.size());
    all.emplace_back(key >> 3, message.substr(at, size));
    at += size;
  }
  return all;
}

struct Scalar {
  std::string tag;
  int64_t step = 0;
  float value = 0;
  friend auto operator<=>(const Scalar&, const Scalar&) = default;
};

struct Events {
  std::vector<Scalar> scalars;
  std::vector<std::string> versions;
  std::vector<double> times;
  std::vector<int64_t> starts;  // the first steps of runs, and of those that go on
};

void read_scalars(const std::string& summary, int64_t step, std::vector<Scalar>& all) {
  for (const auto& [number, value] : fields(summary)) {
    REQUIRE(number == 1);
    const auto parts = fields(value);
    REQUIRE(parts.size() == 2);
    REQUIRE((parts[0].first == 1 && parts[1].first == 2));
    all.push_back({parts[0].second, step, number_in<float>(parts[1].second, 0)});
  }
}

// All of a folder, in the order of names: what a new run has undone is gone, as for TensorBoard.
Events read_events(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with(kEvents)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  Events all;
  for (const fs::path& file : files)
    for (const std::string& record : records(read_file(file))) {
      int64_t step = 0;
      for (const auto& [number, bytes] : fields(record)) {
        if (number == 1) all.times.push_back(number_in<double>(bytes, 0));
        if (number == 2) step = std::stoll(bytes);
        if (number == 3) all.versions.push_back(bytes);
        if (number == 5) read_scalars(bytes, step, all.scalars);
        if (number == 7) {
          REQUIRE(bytes == "\x08\x01");
          // The first one is no restart.
          if (!all.starts.empty())
            std::erase_if(all.scalars, [&](const Scalar& s) { return s.step >= step; });
          all.starts.push_back(step);
        }
      }
    }
  return all;
}

// What metrics.jsonl says.
std::vector<Scalar> logged(const fs::path& folder) {
  const std::map<std::string, std::string> tags{{"loss", "train/loss"},
                                                {"tokens_per_second", "train/tokens_per_second"},
                                                {"learning_rate", "train/learning_rate"},
                                                {"gradient_norm", "train/gradient_norm"},
                                                {"skipped", "train/skipped"},
                                                {"valid_loss", "valid/loss"},
                                                {"exact", "valid/exact"}};
  std::vector<Scalar> all;
  std::istringstream lines(read_file(folder / kMetrics));
  for (std::string line; std::getline(lines, line);) {
    const JsonObject keys = parse_json(line);
    for (const auto& [key, tag] : tags)
      if (has(keys, key))
        all.push_back({tag, integer_at(keys, "step"), static_cast<float>(number_at(keys, key))});
  }
  return all;
}

std::vector<Scalar> sorted(std::vector<Scalar> scalars) {
  std::sort(scalars.begin(), scalars.end());
  return scalars;
}

const auto kTensorboard = [](RunConfig& c) { c.train.tensorboard = true; };

}  // namespace

TEST_CASE("event files: the checksum of their reader here is CRC-32C") {
  CHECK(slow_crc32c("123456789") == 0xe3069283);
}

TEST_CASE("event files: the bytes of a record are those of the format") {
  const TempDir dir;
  EventFile(dir.path(), 0).write(300, scalars_of(ValidationRecord{300, 0, 0.5, "bleu", 25}));
  REQUIRE(std::distance(fs::directory_iterator(dir.path()), {}) == 1);
  const auto all = records(read_file(fs::directory_iterator(dir.path())->path()));
  REQUIRE(all.size() == 3);
  CHECK(all[0].substr(9) == std::string("\x10\x00\x1a\x0d", 4) + "brain.Event:2");
  CHECK(all[1].substr(9) == "\x10\x01\x3a\x02\x08\x01");
  CHECK(all[2].substr(0, 1) == "\x09");
  CHECK(all[2].substr(9) == std::string("\x10\xac\x02\x2a\x26"
                                        "\x0a\x11\x0a\x0avalid/loss\x15\x00\x00\x00\x3f"
                                        "\x0a\x11\x0a\x0avalid/bleu\x15\x00\x00\xc8\x41",
                                        43));
}

TEST_CASE("event files: a run's events are the numbers of metrics.jsonl, bit for bit") {
  const TempDir dir, plain;
  const auto since_1970 = [] {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
  };
  const double before = since_1970().count();
  train_tiny(dir.path(), {.change = kTensorboard});
  const Events events = read_events(dir.path());
  CHECK(events.scalars.size() == 4 * 4 + 3 * 2);
  CHECK(sorted(events.scalars) == sorted(logged(dir.path())));
  CHECK(events.versions == std::vector<std::string>{"brain.Event:2"});
  CHECK(events.starts == std::vector<int64_t>{1});
  CHECK(std::is_sorted(events.times.begin(), events.times.end()));
  CHECK((events.times.front() >= before && events.times.back() <= since_1970().count()));
  train_tiny(plain.path());
  CHECK(read_events(plain.path()).versions.empty());
  CHECK(contents(dir / kLastCheckpoint) == contents(plain / kLastCheckpoint));
}

TEST_CASE("event files: a run that goes on drops what it does again, and adds the rest") {
  const TempDir dir;
  train_tiny(dir.path(), {.steps = 4, .change = kTensorboard});
  // As if it had gone on, and was killed before it saved.
  {
    EventFile further(dir.path(), 4);
    further.write(5, scalars_of(TrainingRecord{.step = 5, .loss = 100}));
    further.write(8, scalars_of(ValidationRecord{8, 0, 100, "exact", 1}));
  }
  train_tiny(dir.path(), {.steps = 8, .resume = true, .change = kTensorboard});
  train_tiny(dir.path(), {.resume = true, .change = kTensorboard});
  const Events events = read_events(dir.path());
  CHECK(events.versions.size() == 4);
  CHECK(events.starts == std::vector<int64_t>{1, 5, 5, 9});
  CHECK(sorted(events.scalars) == sorted(logged(dir.path())));
}

TEST_CASE("event files: their names are in order of runs, whatever the clock says") {
  const TempDir dir;
  const auto names = [&] {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(dir.path()))
      all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  };
  dir.write("events.out.tfevents.4000000000.elsewhere", "");
  dir.write("events.out.tfevents.99999999999999999999.x", "");
  dir.write("events.out.tfevents.9223372036854775807.x", "");
  const EventFile first(dir.path(), 0), second(dir.path(), 0);
  const auto all = names();
  REQUIRE(all.size() == 5);
  CHECK(all[1] == "events.out.tfevents.4000000001.weft");
  CHECK(all[2] == "events.out.tfevents.4000000002.weft");
}

TEST_CASE("event files: those of an old model go with it, those of the new one come") {
  const TempDir dir;
  train_tiny(dir.path(), {.change = kTensorboard});
  train_tiny(dir.path(), {.overwrite = true, .seed = 2, .change = kTensorboard});
  const Events events = read_events(dir.path());
  CHECK(events.versions.size() == 1);
  CHECK(sorted(events.scalars) == sorted(logged(dir.path())));
  train_tiny(dir.path(), {.overwrite = true});
  CHECK(read_events(dir.path()).versions.empty());
}

TEST_CASE("event files: numbers that are none, and updates that were skipped") {
  const TempDir dir;
  const TrainingRecord bad{
      .step = 7, .loss = std::nan(""), .gradient_norm = HUGE_VAL, .skipped = 2};
  EventFile(dir.path(), 0).write(7, scalars_of(bad));
  const std::vector<Scalar> scalars = read_events(dir.path()).scalars;
  REQUIRE(scalars.size() == 5);
  CHECK(std::isnan(scalars[0].value));
  CHECK(scalars[3] == Scalar{"train/gradient_norm", 7, HUGE_VALF});
  CHECK(scalars[4] == Scalar{"train/skipped", 7, 2});
}

TEST_CASE("event files: a full disk and a missing folder are errors") {
  const TempDir dir;
  EventFile file(dir.path(), 0);
  const std::string path = fs::directory_iterator(dir.path())->path().string();
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{fs::file_size(path) + 10, before.rlim_max};  // stands for a full disk
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] { file.write(1, scalars_of(ValidationRecord{})); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(message == "EventFile: cannot write '" + path + "': File too large");
  CHECK_THAT(message_of([&] { EventFile none(dir / "none", 0); }),
             Contains("EventFile: cannot open '") && Contains("No such file or directory"));
}
