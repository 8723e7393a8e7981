// The version of weft's headers, for the preprocessor. The build takes its own from here.
#pragma once

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
/// As text.
#define WEFT_VERSION "0.1.0"
