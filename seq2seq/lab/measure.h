// What a measure is to the laboratory: a name, what it means, and a function of one study. A new
// one is an entry in attention_measures.cpp or token_measures.cpp, or a file beside them; one of
// your own, a call of Program::add_measure(). Reports, tables and files hold whatever there is.
#pragma once

#include <weft/seq2seq/lab/study.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weft {

/// Which positions attend to which: cross has rows of the target and columns of the source.
enum class Place { encoder, decoder, cross };
/// "encoder", "decoder" or "cross".
const char* to_string(Place place);

/// A matrix for each query and key, of each layer: [H, Tq, Tk], with H = 1 where the measure has
/// nothing for heads. A measure that is not per_layer has one entry, through all of them.
struct Maps {
  Place place;
  Tensors layers;
};

/// A number for each token of a side, [T]: of the source with its kEnd, or of the predicted ones.
struct TokenNumbers {
  Place side;  ///< encoder: of the source; decoder: of the target
  Tensor values;
  std::optional<double> completeness_error = {};  ///< what they should sum to, taken from their sum
};

/// One of `maps` and `tokens` is there. Both give nothing where a model or a sentence has nothing
/// to be measured. Several threads may call them at once, for studies that share nothing.
struct Measure {
  std::string name;         ///< in files: "gradient"
  std::string label{};      ///< for people: "Gradient of weights"
  std::string formula{};    ///< how it is computed
  std::string words{};      ///< what it says, a sentence
  std::string reference{};  ///< whose it is
  bool is_signed = false;
  bool per_layer = true;
  std::string unit{};
  std::function<std::vector<Maps>(const Study&)> maps{};
  std::function<std::vector<TokenNumbers>(const Study&)> tokens{};
};

/// What a measure gave for a study.
struct Measured {
  const Measure* measure;
  std::vector<Maps> maps;
  std::vector<TokenNumbers> tokens;

  /// The maps of a place, or null.
  const Maps* at(Place place) const;
};

/// Maps of every measure, and `with_tokens` numbers of tokens. Measures must outlive the result.
std::vector<Measured> take(std::span<const Measure> measures, const Study& study, bool with_tokens);

/// Sentences of more source tokens than this get no Shapley values: 2^n subsets are scored.
inline constexpr int64_t kMostShapleyUnits = 12;

/// Of attention: weights, gradient, gradient_attention, norm_weights, relevance, rollout,
/// contributions, flow. Of tokens: entropy, gradient_input, integrated_gradients, leave_one_out,
/// shapley.
const std::vector<Measure>& builtin_measures();

}  // namespace weft
