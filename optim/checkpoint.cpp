#include <weft/core/detail/check.h>
#include <weft/core/detail/shortened.h>
#include <weft/optim/checkpoint.h>
#include <weft/optim/detail/prefixed.h>
#include <weft/optim/distributed/local_sgd.h>

#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

namespace weft {
namespace {

constexpr const char* kFormatKey = "weft.checkpoint";
constexpr const char* kFormat = "2";
constexpr const char* kWithoutChecksums = "1";          // what weft wrote before
constexpr uint64_t kMostCount = 1'000'000'000'000'000;  // of steps and random keys: out of reach

template <class Integer>
Integer parse(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  check(found != metadata.end(), "\"{}\" is missing", key);
  const std::string& text = found->second;
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && end == text.data() + text.size(),
        "\"{}\" must be a whole number; got \"{}\"", key, shortened(text));
  return value;
}

uint64_t parse_count(const Metadata& metadata, const std::string& key) {
  const auto count = parse<uint64_t>(metadata, key);
  check(count <= kMostCount, "\"{}\" must be at most {}; got {}", key, kMostCount, count);
  return count;
}

std::string seed_key(const std::string& name) { return fmt::format("generator.{}.seed", name); }
std::string position_key(const std::string& name) {
  return fmt::format("generator.{}.position", name);
}

void check_format(const SafetensorsFile& file) {
  const auto format = file.metadata.find(kFormatKey);
  check(format != file.metadata.end() &&
            (format->second == kFormat || format->second == kWithoutChecksums),
        "not a checkpoint of this version of weft");
  check(file.has_checksums || format->second == kWithoutChecksums,
        "its checksums are missing, so it was changed since weft wrote it");
}

// Changes nothing before the last check has passed.
void restore(const SafetensorsFile& file, const TrainingRun& run) {
  check_format(file);
  const uint64_t steps = run.schedule ? parse_count(file.metadata, "schedule.steps") : 0;
  std::vector<std::pair<Generator, std::pair<uint64_t, uint64_t>>> generators;
  for (const auto& [name, generator] : run.generators)
    generators.push_back({generator,
                          {parse<uint64_t>(file.metadata, seed_key(name)),
                           parse_count(file.metadata, position_key(name))}});
  const NamedTensors optimizer = without_prefix(file.tensors, "optimizer.");
  if (run.local)
    run.local->check_state_dict(optimizer, *run.optimizer);
  else if (run.optimizer)
    run.optimizer->check_state_dict(optimizer);
  const NamedTensors average = without_prefix(file.tensors, "average.");
  if (run.average) run.average->check_state_dict(average);
  run.model.load_state_dict(without_prefix(file.tensors, "model."));
  if (run.local)
    run.local->load_state_dict(optimizer, *run.optimizer);
  else if (run.optimizer)
    run.optimizer->load_state_dict(optimizer);
  if (run.average) run.average->load_state_dict(average);
  if (run.local) run.local->restart();
  if (run.schedule) run.schedule->set_steps(static_cast<int64_t>(steps));
  for (auto& [generator, state] : generators) generator.set_state(state.first, state.second);
}

// What `act` gives; its errors name the file.
template <class Act>
auto with_name(const SafetensorsFile& file, Act act) {
  try {
    return act();
  } catch (const Error& e) {
    fail("load_checkpoint: {}: {}", file.path, e.what());
  }
}

}  // namespace

void save_checkpoint(const std::string& path, const TrainingRun& run, const Metadata& progress) {
  NamedTensors tensors;
  append(tensors, "model.", run.model.state_dict());
  if (run.optimizer)
    append(tensors, "optimizer.",
           run.optimizer_state ? *run.optimizer_state : run.optimizer->state_dict());
  if (run.average) append(tensors, "average.", run.average->state_dict());
  Metadata metadata{{kFormatKey, kFormat}};
  if (run.schedule) metadata["schedule.steps"] = std::to_string(run.schedule->steps());
  for (const auto& [name, generator] : run.generators) {
    metadata[seed_key(name)] = std::to_string(generator.seed());
    metadata[position_key(name)] = std::to_string(generator.position());
  }
  for (const auto& [key, value] : progress) metadata[fmt::format("progress.{}", key)] = value;
  save_safetensors(path, tensors, metadata);
}

Metadata progress_of(const SafetensorsFile& file) {
  constexpr std::string_view kPrefix = "progress.";
  with_name(file, [&] { check_format(file); });
  Metadata progress;
  for (const auto& [key, value] : file.metadata)
    if (key.starts_with(kPrefix)) progress[key.substr(kPrefix.size())] = value;
  return progress;
}

Metadata load_checkpoint(const SafetensorsFile& file, const TrainingRun& run) {
  with_name(file, [&] { restore(file, run); });
  return progress_of(file);
}

Metadata load_checkpoint(const std::string& path, const TrainingRun& run) {
  return load_checkpoint(load_safetensors(path), run);
}

int64_t integer_at(const Metadata& progress, const std::string& key) {
  try {
    return parse<int64_t>(progress, key);
  } catch (const Error& e) {
    fail("integer_at: {}", e.what());
  }
}

}  // namespace weft
