// The run and the corpus behind a model directory.
#pragma once

#include <weft/seq2seq/run/catalog.h>
#include <weft/seq2seq/run/config.h>

#include <filesystem>

namespace weft {

/// The settings of the run that trained a model, of run.toml in its directory; those of a run that
/// was never started if there is no such file.
RunConfig trained_by(const std::filesystem::path& directory);

/// The corpus of a run. Throws if it does not say one, or if that is not there any more.
Corpus trained_on(const RunConfig& run, const Catalog& catalog);

}  // namespace weft
