// The settings that name the files of one split: one file of pairs, or one of each side.
#pragma once

#include <weft/seq2seq/settings/setting.h>
#include <weft/seq2seq/tasks/corpus.h>

#include <array>
#include <string>

namespace weft {

/// A member of a group of settings, with three settings in that group. A run that goes on may find
/// its files elsewhere: what they hold is checked instead.
struct SplitSettings {
  /// --`flag` for pairs with its help, --`split`-source and --`split`-target.
  SplitSettings(SettingGroup& group, const std::string& flag, const std::string& help,
                const std::string& split);

  Setting<std::string> pairs, source, target;

  std::array<Setting<std::string>*, 3> all() { return {&pairs, &source, &target}; }
  std::array<const Setting<std::string>*, 3> all() const { return {&pairs, &source, &target}; }

  /// Throws an error that names the flags if they are of both forms, or of one side alone.
  SplitFiles files() const;
  /// Makes the paths absolute, so that the files are found from any directory.
  void make_absolute();
  /// Forgets the files here in the form other than that in which `asked` gives them.
  void give_way_to(const SplitSettings& asked);
};

}  // namespace weft
