#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/split_settings.h>

#include <filesystem>
#include <utility>

namespace weft {
namespace {

SettingInfo of_corpus(const std::string& name, const std::string& help) {
  return {name, "Corpus", help, {}, OnResume::kChange};
}

}  // namespace

SplitSettings::SplitSettings(SettingGroup& group, const std::string& flag, const std::string& help,
                             const std::string& split)
    : pairs(group, "", of_corpus(flag, help)),
      source(group, "", of_corpus(split + "-source", "Or a file of their sources, one a line,")),
      target(group, "", of_corpus(split + "-target", "and one of their targets")) {}

SplitFiles SplitSettings::files() const {
  const auto is_set = [](const Setting<std::string>& s) { return !s.value().empty(); };
  for (const auto* side : {&source, &target})
    check(!is_set(pairs) || !is_set(*side), "train: --{} and --{} exclude each other",
          pairs.info().name, side->info().name);
  for (const auto& [one, other] : {std::pair{&source, &target}, {&target, &source}})
    check(!is_set(*one) || is_set(*other), "train: --{} needs --{} too", one->info().name,
          other->info().name);
  return {pairs.value(), source.value(), target.value()};
}

void SplitSettings::make_absolute() {
  for (Setting<std::string>* file : all())
    if (!file->value().empty()) *file = std::filesystem::absolute(file->value()).string();
}

void SplitSettings::give_way_to(const SplitSettings& asked) {
  if (asked.pairs.given()) {
    source = "";
    target = "";
  }
  if (asked.source.given() || asked.target.given()) pairs = "";
}

}  // namespace weft
