# Makes tests/reference/intervals.json. Run from the repository's root: Rscript validation/metafor/run_intervals.R
# Never runs in CI; README.md beside this file says what agrees with what.
suppressPackageStartupMessages({library(epiR); library(jsonlite)})

# No packaged mid-P for one proportion is in Debian: its two equations (Newcombe 1998, method 6) are solved here from R's
# own binomial distribution, on the log scale of the rate so that small limits keep their digits.
mid_p <- function(x, n, level) {
  tail <- (1 - level) / 2
  solve <- function(f) exp(uniroot(f, c(-40, 0), tol = 1e-15, maxiter = 10000)$root)
  above <- function(t) pbinom(x, n, exp(t), lower.tail = FALSE) + dbinom(x, n, exp(t)) / 2 - tail
  below <- function(t) pbinom(x - 1, n, exp(t)) + dbinom(x, n, exp(t)) / 2 - tail
  c(if (x == 0) 0 else solve(above), if (x == n) 1 else solve(below))
}

jeffreys <- function(x, n, level) {
  tail <- (1 - level) / 2
  c(if (x == 0) 0 else qbeta(tail, x + 0.5, n - x + 0.5), if (x == n) 1 else qbeta(1 - tail, x + 0.5, n - x + 0.5))
}

of <- function(x, n, level) {
  score <- function(correct) c(suppressWarnings(prop.test(x, n, conf.level = level, correct = correct))$conf.int)
  epi <- unlist(epi.conf(cbind(x, n), ctype = "prevalence", method = "agresti", N = 1e12, conf.level = level)[2:3])
  list(x = x, n = n, level = level,
       wald = x / n + c(-1, 1) * qnorm((1 + level) / 2) * sqrt(x * (n - x) / n^3),
       wilson = score(FALSE), `wilson-cc` = score(TRUE), `agresti-coull` = unname(epi),
       `clopper-pearson` = c(binom.test(x, n, conf.level = level)$conf.int),
       jeffreys = jeffreys(x, n, level), `mid-p` = mid_p(x, n, level))
}

cases <- list(c(81, 263), c(15, 148), c(0, 20), c(1, 29), c(20, 20), c(28, 29), c(1, 1), c(5, 20), c(3733, 6382),
              c(3397, 5645), c(1, 1e7), c(5850000, 1e7))
sets <- list()
for (level in c(0.8, 0.95, 0.999)) for (case in cases) sets <- c(sets, list(of(case[1], case[2], level)))
source <- list(script = "validation/metafor/run_intervals.R",
               calls = list(wald = "by hand", wilson = "stats::prop.test(correct=FALSE)$conf.int",
                            `wilson-cc` = "stats::prop.test(correct=TRUE)$conf.int",
                            `agresti-coull` = 'epiR::epi.conf(ctype="prevalence", method="agresti")',
                            `clopper-pearson` = "stats::binom.test()$conf.int", jeffreys = "stats::qbeta",
                            `mid-p` = "stats::uniroot on stats::pbinom and dbinom"),
               versions = list(R = R.version.string, epiR = as.character(packageVersion("epiR"))),
               scale = "lower and upper limit, proportions; Wald and Agresti-Coull not clipped")
writeLines(toJSON(list(source = source, sets = sets), auto_unbox = TRUE, digits = NA, pretty = TRUE),
           "tests/reference/intervals.json")
