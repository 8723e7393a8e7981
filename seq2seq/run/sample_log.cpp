#include <weft/seq2seq/run/sample_log.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>

namespace weft {

SampleLog::SampleLog(const std::filesystem::path& file, const ParallelText& text,
                     int64_t validated_step)
    : count_(std::min(kMost, text.source.size())), log_(file, [&](const JsonObject& line) {
        const bool kept = integer_at(line, "step") <= validated_step;
        described_ = described_ || (kept && has(line, "source"));
        return kept;
      }) {
  if (!described_)
    log_.write({{"step", int64_t{0}},
                {"source", chosen(text.source)},
                {"reference", chosen(text.target)}});
}

void SampleLog::write(int64_t step, std::span<const std::string> translations) {
  log_.write({{"step", step}, {"translation", chosen(translations)}});
}

// A vocabulary of bytes may make any of them; JSON is UTF-8.
std::vector<std::string> SampleLog::chosen(std::span<const std::string> all) const {
  std::vector<std::string> texts;
  for (size_t i = 0; i < count_; ++i)
    texts.push_back(encode_utf8(decode_utf8(all[i * all.size() / count_])));
  return texts;
}

}  // namespace weft
