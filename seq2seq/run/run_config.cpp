// Settings as a file of TOML: read where the user names one, written for a run to go on from.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/config.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/text/seal.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/toml.h>

#include <algorithm>
#include <array>

namespace weft {
namespace {

std::filesystem::path run_file(const std::filesystem::path& dir) { return dir / kRunSettings; }

std::string toml_value(const AnySetting& setting) {
  return setting.is_text() ? toml_string(setting.text()) : setting.text();
}

// Calls `take(setting, text)` for every line of the file's text.
template <class Take>
void for_each_line(RunConfig& config, const std::filesystem::path& file, const std::string& text,
                   Take take) {
  for (const TomlEntry& entry : parse_toml(text, file.string())) {
    try {
      take(config.find(entry.key), entry.text);
    } catch (const Error& e) {
      fail("{}, line {}: {}", file.string(), entry.line, e.what());
    }
  }
}

RunConfig load_run(const std::filesystem::path& dir) {
  RunConfig saved;
  const std::filesystem::path file = run_file(dir);
  const std::string text = read_file(file);
  try {
    saved.model.run = open_seal(text);
  } catch (const Error& e) {
    fail("{}: {}", file.string(), e.what());
  }
  for_each_line(saved, file, text,
                [](AnySetting& setting, const std::string& value) { setting.read(value); });
  return saved;
}

std::string or_none(const std::string& value) { return value.empty() ? "none" : value; }

// A limit that is given anew stands for all that ended the run before.
void forget_limits(TrainConfig& saved, const TrainConfig& asked) {
  if (!asked.epochs.given() && !asked.steps.given() && !asked.minutes.given()) return;
  saved.epochs = 0;
  saved.steps = 0;
  saved.minutes = 0;
}

void forget_files(TrainConfig& saved, TrainConfig& asked) {
  const auto present = saved.file_settings(), given = asked.file_settings();
  for (size_t i = 0; i < present.size(); ++i) present[i]->give_way_to(*given[i]);
}

}  // namespace

std::vector<AnySetting*> RunConfig::settings() {
  std::vector<AnySetting*> all = train.settings();
  const std::vector<AnySetting*> of_model = model.settings();
  all.insert(all.end(), of_model.begin(), of_model.end());
  return all;
}

std::vector<const AnySetting*> RunConfig::settings() const {
  const std::vector<AnySetting*> all = const_cast<RunConfig*>(this)->settings();
  return {all.begin(), all.end()};
}

AnySetting& RunConfig::find(const std::string& name) {
  for (AnySetting* setting : settings())
    if (setting->info().name == name) return *setting;
  fail("there is no setting '{}'", name);
}

void RunConfig::ignore(const std::string& name, const std::string& what) {
  AnySetting& setting = find(name);
  const std::string standard = RunConfig().find(name).text();
  check(!setting.given() || setting.text() == standard, "train: --{} says nothing to {}; got {}",
        name, what, setting.text());
  setting.read(standard);
}

void RunConfig::read_file(const std::filesystem::path& file) {
  for_each_line(*this, file, weft::read_file(file),
                [](AnySetting& setting, const std::string& text) {
                  if (!setting.given()) setting.give(text);
                });
}

std::vector<std::string> RunConfig::go_on_from(const std::filesystem::path& dir) {
  const RunConfig saved = load_run(dir);
  RunConfig wanted = saved;
  forget_limits(wanted.train, train);
  forget_files(wanted.train, train);
  model.run = saved.model.run;
  const std::vector<AnySetting*> asked = settings(), present = wanted.settings();
  const std::vector<const AnySetting*> before = saved.settings();
  std::vector<std::string> changes;
  for (size_t i = 0; i < asked.size(); ++i) {
    const SettingInfo& info = asked[i]->info();
    if (info.on_resume == OnResume::kForget) continue;
    const std::string value = present[i]->text(), old = before[i]->text();
    check(!asked[i]->given() || info.on_resume == OnResume::kChange || asked[i]->text() == value,
          "train: --resume needs the run's --{} {}; got {}", info.name, value, asked[i]->text());
    if (!asked[i]->given() && !value.empty()) asked[i]->read(value);
    if (const std::string now = asked[i]->text(); now != old)
      changes.push_back(
          fmt::format("--{} {} instead of {}", info.name, or_none(now), or_none(old)));
  }
  return changes;
}

void RunConfig::save(const std::filesystem::path& dir) const {
  std::string text;
  for (const AnySetting* setting : settings()) {
    if (setting->info().on_resume == OnResume::kForget || setting->text().empty()) continue;
    text += fmt::format("# {}\n{} = {}\n", setting->info().help, setting->info().name,
                        toml_value(*setting));
  }
  write_file(run_file(dir), seal_toml(text, model.run));
}

}  // namespace weft
