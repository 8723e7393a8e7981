// Sentences in, sentences out: a model and its vocabulary, together.
#pragma once

#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/pictures/attention_picture.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace weft {

/// Ids of a source beyond this many are cut off: memory grows with the square of the length.
inline constexpr int64_t kLongestSource = 1024;
/// The checkpoint in a model directory that scored best in validation.
inline constexpr const char* kBestCheckpoint = "best.safetensors";

/// Ids as the encoder reads them: at most kLongestSource, the last of them kEnd.
Ids encode_source(const Vocabulary& vocabulary, const std::string& sentence);
/// Whether encode_source would cut the sentence.
bool is_too_long(const Vocabulary& vocabulary, const std::string& sentence);
/// Ids as the decoder reads and writes them, between kBegin and kEnd.
Ids encode_target(const Vocabulary& vocabulary, const std::string& sentence);

/// One translation for each sentence; an empty sentence gives an empty one.
std::vector<std::string> translate_all(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                       std::span<const std::string> sentences,
                                       const SearchOptions& options = {});

/// Translates a sentence and gives the cross-attention that led to it: row t is the step that
/// produced target piece t. Throws on an empty sentence.
AttentionPicture show_translation(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                  const std::string& sentence);

struct LoadedModel {
  std::unique_ptr<Vocabulary> vocabulary;
  std::unique_ptr<Seq2SeqModel> model;  ///< in eval mode, with the best weights
};
/// Reads a model directory. Throws errors that name the file and the fault.
LoadedModel load_model(const std::filesystem::path& dir);

}  // namespace weft
