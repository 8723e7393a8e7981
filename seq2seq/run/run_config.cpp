// Settings as a file of TOML: read where the user names one, written for a run to go on from.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/config.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/toml.h>

#include <algorithm>
#include <array>

namespace weft {
namespace {

std::filesystem::path run_file(const std::filesystem::path& dir) { return dir / "run.toml"; }

std::string toml_value(const AnySetting& setting) {
  return setting.is_text() ? toml_string(setting.text()) : setting.text();
}

// Calls `take(setting, text)` for every line of the file.
template <class Take>
void for_each_line(RunConfig& config, const std::filesystem::path& file, Take take) {
  for (const TomlEntry& entry : parse_toml(read_file(file), file.string())) {
    try {
      take(config.find(entry.key), entry.text);
    } catch (const Error& e) {
      fail("{}, line {}: {}", file.string(), entry.line, e.what());
    }
  }
}

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
  for_each_line(*this, file, [](AnySetting& setting, const std::string& text) {
    if (!setting.given()) setting.give(text);
  });
}

void RunConfig::go_on_from(const std::filesystem::path& dir) {
  RunConfig saved;
  for_each_line(saved, run_file(dir),
                [](AnySetting& setting, const std::string& text) { setting.read(text); });
  forget_limits(saved.train, train);
  forget_files(saved.train, train);
  const std::vector<AnySetting*> asked = settings(), present = saved.settings();
  for (size_t i = 0; i < asked.size(); ++i) {
    const OnResume on_resume = asked[i]->info().on_resume;
    if (on_resume == OnResume::kForget) continue;
    const std::string value = present[i]->text();
    check(!asked[i]->given() || on_resume == OnResume::kChange || asked[i]->text() == value,
          "train: --resume needs the run's --{} {}; got {}", asked[i]->info().name, value,
          asked[i]->text());
    if (!asked[i]->given() && !value.empty()) asked[i]->read(value);
  }
}

void RunConfig::save(const std::filesystem::path& dir) const {
  std::string text;
  for (const AnySetting* setting : settings()) {
    if (setting->info().on_resume == OnResume::kForget || setting->text().empty()) continue;
    text += fmt::format("# {}\n{} = {}\n", setting->info().help, setting->info().name,
                        toml_value(*setting));
  }
  write_file(run_file(dir), text);
}

}  // namespace weft
