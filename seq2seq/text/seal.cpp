#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/core/detail/shortened.h>
#include <weft/seq2seq/text/seal.h>

#include <algorithm>
#include <optional>
#include <random>

namespace weft {
namespace {

constexpr const char* kRun = "run";
constexpr const char* kChecksum = "crc32c";
constexpr const char* kTomlSeal = "# run ";
constexpr const char* kChanged = "it was changed since weft wrote it";

std::string checksum(const std::string& text) { return fmt::format("{:08x}", crc32c(text)); }

std::optional<std::string> take(JsonObject& fields, const std::string& key) {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const auto& field) { return field.first == key; });
  if (found == fields.end()) return {};
  std::string value = string_at(fields, key);
  fields.erase(found);
  return value;
}

}  // namespace

std::string new_run_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

std::string seal_json(JsonObject fields, const std::string& run) {
  if (!run.empty()) fields.emplace_back(kRun, run);
  fields.emplace_back(kChecksum, checksum(to_json_text(fields)));
  return to_json_text(fields);
}

std::string open_seal(JsonObject& fields) {
  const std::optional<std::string> sum = take(fields, kChecksum);
  check(!sum || *sum == checksum(to_json_text(fields)), "{}: its checksum is wrong", kChanged);
  const std::optional<std::string> run = take(fields, kRun);
  check(sum || !run, "{}: its checksum is missing", kChanged);
  return run.value_or("");
}

std::string seal_toml(const std::string& lines, const std::string& run) {
  const std::string text = fmt::format("{}{}{}, {} ", lines, kTomlSeal, run, kChecksum);
  return fmt::format("{}{}\n", text, checksum(text));
}

std::string open_seal(const std::string& toml) {
  const size_t seal = toml.rfind(kTomlSeal);
  if (seal == std::string::npos) return "";
  const size_t begin = seal + std::string_view(kTomlSeal).size();
  const std::string run = toml.substr(begin, std::min(toml.find(',', begin), toml.size()) - begin);
  check(seal_toml(toml.substr(0, seal), run) == toml, "{}: its checksum is wrong", kChanged);
  return run;
}

void check_same_run(const std::string& file, const std::string& run, const std::string& other,
                    const std::string& expected) {
  const auto named = [](const std::string& id) {
    return id.empty() ? std::string("without a run") : "of run " + shortened(id);
  };
  check(run == expected, "{} is {}, but {} {}: they do not belong together", file, named(run),
        other, named(expected));
}

}  // namespace weft
