// A setting is described once, where it is declared: name, default, range and help. Flags, config
// file, saved config and what a resumed run must not contradict all follow from that line:
//   struct TrainConfig : SettingGroup {
//     Setting<int64_t> warmup{*this, 2000, {"warmup", "Training", "Updates of warm-up",
//     kPositive}};
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace weft {

/// Settings by name, as text.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// The numbers that a setting may be.
struct Range {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool with_least = true, with_most = true;  ///< whether the ends themselves are allowed

  bool has(double value) const;   ///< false for NaN
  std::string to_string() const;  ///< "[0, 1)"
};

/// Far more than any run reaches, and few enough that sums and products of two do not overflow.
inline constexpr double kMost = 1e12;
inline constexpr Range kPositive{.least = 1, .most = kMost};
inline constexpr Range kCount{.least = 0, .most = kMost};
inline constexpr Range kRate{.least = 0, .most = 1, .with_most = false};
inline constexpr Range kFinite{.least = 0, .with_most = false};
inline constexpr Range kAboveZero{.least = 0, .with_least = false, .with_most = false};

/// What becomes of a setting when a run goes on.
enum class OnResume {
  kSame,    ///< the weights follow from it: another value would make another run
  kChange,  ///< the saved value, unless a new one is given
  kForget,  ///< of one call, never saved
};

struct SettingInfo {
  std::string name;   ///< a flag without its dashes, a key of a config file
  std::string group;  ///< heading in the help
  std::string help;
  Range range{};  ///< of numbers
  OnResume on_resume = OnResume::kSame;
  std::vector<std::string> choices{};  ///< of words; empty: any text
  /// Whether there were files of settings before it: they mean its default.
  bool newer_than_files = false;
};

inline constexpr bool kNewer = true;

class SettingGroup;

/// A setting of any type, as text.
class AnySetting {
 public:
  virtual ~AnySetting() = default;
  AnySetting(const AnySetting&) = default;
  AnySetting& operator=(const AnySetting&) = default;

  const SettingInfo& info() const { return info_; }
  /// Whether the user gave it, rather than the task, the corpus or the program.
  bool given() const { return origin_ == Origin::kUser; }

  /// Takes the user's value. Throws an error with the setting's name unless all of `text` is one.
  void give(const std::string& text);
  /// Takes a value that suits the task, unless the user gave one.
  void suggest(const std::string& text);
  /// Takes a value that suits the corpus's size, unless the user or the task gave one.
  void fit(const std::string& text);
  bool fitted() const { return origin_ == Origin::kCorpus; }
  /// Takes a value without a claim of its own. Throws if `text` is none, whatever the range.
  virtual void read(const std::string& text) = 0;

  virtual std::string text() const = 0;
  virtual bool is_text() const { return false; }
  virtual bool is_switch() const { return false; }
  /// Throws an error that names the setting and its value unless it is in its range.
  virtual void check_range() const {}

 protected:
  AnySetting(SettingGroup& group, SettingInfo info);

 private:
  enum class Origin { kDefault, kCorpus, kTask, kUser };

  SettingInfo info_;
  Origin origin_ = Origin::kDefault;
};

/// A struct of settings; copies have settings of their own.
class SettingGroup {
 public:
  /// In order of declaration.
  std::vector<AnySetting*> settings();
  std::vector<const AnySetting*> settings() const;

 private:
  friend class AnySetting;
  std::vector<std::ptrdiff_t> places_;  // of the settings, in bytes from this base
};

/// T is int64_t, double, bool or std::string.
template <class T>
class Setting : public AnySetting {
 public:
  Setting(SettingGroup& group, T value, SettingInfo info)
      : AnySetting(group, std::move(info)), value_(std::move(value)) {}

  Setting& operator=(T value) {
    value_ = std::move(value);
    return *this;
  }
  operator const T&() const { return value_; }
  const T& value() const { return value_; }

  void read(const std::string& text) override;
  std::string text() const override;
  bool is_text() const override { return std::is_same_v<T, std::string>; }
  bool is_switch() const override { return std::is_same_v<T, bool>; }
  void check_range() const override;

 private:
  T value_;
};

}  // namespace weft
