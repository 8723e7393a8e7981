// Records a film of training.
#pragma once

#include <weft/nn/inspect/gradient_noise.h>
#include <weft/seq2seq/lab/film.h>
#include <weft/seq2seq/models/seq2seq_model.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace weft {

/// Changes nothing in the model. A layer is all parameters below a module with a number for a name,
/// such as decoder.layers.0, or those of one module elsewhere. The gradient of a head is that of
/// its rows in the projections of queries, keys and values (SoftmaxAttention::head_rows()).
class FilmRecorder {
 public:
  /// Goes on with the film in `file`, if it is of the same model and sentence, after `update`. The
  /// sentence is the first of `pairs` that is short enough. The model must outlive the recorder.
  FilmRecorder(Seq2SeqModel& model, const Vocabulary& vocabulary, std::span<const Pair> pairs,
               std::filesystem::path file, int64_t update);

  /// Takes in the gradients that the parameters hold.
  void add();

  /// Makes a frame of those since the last one, if there are two of them, and writes the film. The
  /// model must be in eval mode. Throws if the file cannot be written.
  void record(int64_t update);

 private:
  /// A parameter, and how many equal parts of its rows are told apart.
  struct Rows {
    std::string parameter;
    int64_t parts = 1;
  };
  using Part = std::vector<Rows>;
  void find_layers();
  void find_heads();
  void choose_sentence(const Vocabulary& vocabulary, std::span<const Pair> pairs);
  void append(const Part& part, int64_t count, std::vector<double>& norm,
              std::vector<double>& snr) const;
  std::vector<double> maps() const;

  Seq2SeqModel& model_;
  const std::filesystem::path file_;
  Film film_;
  std::vector<Part> layers_, attention_;
  Pair sentence_;
  GradientNoise noise_;
  int64_t added_ = 0;
};

}  // namespace weft
