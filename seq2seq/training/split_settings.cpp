#include <weft/core/check.h>
#include <weft/seq2seq/training/split_settings.h>

#include <filesystem>
#include <utility>

namespace weft {

SplitSettings::SplitSettings(SettingGroup& group, const std::string& flag, const std::string& split,
                             const std::string& purpose)
    : pairs(group, "",
            {pairs,
             "Corpus",
             "Pairs to " + purpose + ", a source <tab> its target a line",
             {},
             OnResume::kChange}),
      source(group, "",
             {split + "-source",
              "Corpus",
              "Or sentences to " + purpose + ", one a line",
              {},
              OnResume::kChange}),
      target(group, "", {split + "-target", "Corpus", "And their targets", {}, OnResume::kChange}) {
}

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
