# What the scripts about trials, influence and the beta-binomial share; run_metafor.R stands alone.
suppressPackageStartupMessages({library(metafor); library(jsonlite)})

out <- "tests/reference"

counts <- function(text) {
  m <- sapply(strsplit(strsplit(text, " ")[[1]], "/"), as.numeric)
  data.frame(xi = m[1, ], ni = m[2, ])
}

pritz <- counts("16/17 10/12 4/8 43/58 10/10 25/42 13/14 12/12 22/41 4/5 5/6 18/23 58/68 6/10")
bruin <- counts("11/29 24/33 179/326 82/240 60/110 11/29 99/244 9/17 88/215 17/26 26/138 23/55 40/54")
nielweise <- counts(paste("3/117 3/35 9/195 7/136 6/157 4/139 3/177 2/39 19/103 2/122 7/64 1/58 5/175 11/180 0/105",
                          "1/262 3/362 1/69"))

bundled <- read.csv("alkbayes/data/cohorts.csv", colClasses = "character")
bundled <- bundled[order(bundled$cohort_id, method = "radix"), ]
bundled$ni <- as.numeric(bundled$n); bundled$xi <- as.numeric(bundled$responders)

# The logits and variances of alkbayes.classical.counts.
logits <- function(d) escalc(measure = "PLO", xi = xi, ni = ni, data = d)

# Strict stopping, as in run_metafor.R.
strict <- list(threshold = 1e-12, maxiter = 10000)

write_reference <- function(name, script, packages, calls, sets) {
  versions <- lapply(setNames(packages, packages), function(p) as.character(packageVersion(p)))
  source <- list(script = paste0("validation/metafor/", script), calls = calls,
                 versions = c(list(R = R.version.string), versions))
  writeLines(toJSON(list(source = source, sets = sets), auto_unbox = TRUE, digits = NA, pretty = TRUE),
             file.path(out, paste0("metafor_", name, ".json")))
}
