# Makes tests/reference/small_study.json. Run from the repository's root: Rscript validation/metafor/run_small_study.R
# Never runs in CI; README.md beside this file says what agrees with what.
suppressPackageStartupMessages({library(metafor); library(metadat); library(jsonlite)})

of <- function(xi, ni) {
  # Fisher scoring tightened, as in run_metafor.R; regtest() takes it over from the fit.
  pooled <- rma(measure = "PLO", xi = xi, ni = ni, method = "REML", control = list(threshold = 1e-12, maxiter = 10000))
  row <- function(predictor, model) {
    r <- regtest(pooled, model = model, predictor = predictor, ret.fit = TRUE)
    lm <- model == "lm"
    table <- if (lm) coef(summary(r$fit))[2, 1:2] else c(r$fit$beta[2], r$fit$se[2])
    c(list(slope = unname(table[1]), se = unname(table[2]), statistic = r$zval, p = r$pval), if (lm) list(df = r$dfs))
  }
  list(xi = xi, ni = ni, egger = row("sqrtninv", "lm"), `egger-reml` = row("sqrtninv", "rma"),
       peters = row("ninv", "lm"))
}

pritz <- dat.pritz1997; bruin <- dat.debruin2009; niel <- dat.nielweise2007
d <- read.csv("alkbayes/data/cohorts.csv", colClasses = "character")
d$n <- as.numeric(d$n); d$responders <- as.numeric(d$responders)
d <- d[order(d$cohort_id, method = "radix"), ]
sets <- list(pritz1997 = of(pritz$xi, pritz$ni), debruin2009 = of(bruin$xi, bruin$ni),
             `nielweise2007-control` = of(niel$ci, niel$n2i), `nielweise2007-treated` = of(niel$ai, niel$n1i),
             cohorts = of(d$responders, d$n))
for (level in c("naive", "pretreated", "mixed"))
  sets[[paste0("cohorts-", level)]] <- with(d[d$line == level, ], of(responders, n))
source <- list(script = "validation/metafor/run_small_study.R",
               data = "metadat; alkbayes/data/cohorts.csv, sorted by cohort_id, all and by line",
               calls = list(egger = 'regtest(pooled, model="lm", predictor="sqrtninv")',
                            `egger-reml` = 'regtest(pooled, model="rma", predictor="sqrtninv")',
                            peters = 'regtest(pooled, model="lm", predictor="ninv")',
                            pooled = 'rma(measure="PLO", xi=xi, ni=ni, method="REML", control=list(threshold=1e-12))'),
               versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor")),
                               metadat = as.character(packageVersion("metadat"))),
               scale = "slope, se: logit per unit of 1/sqrt(n), for Peters of 1/n")
writeLines(toJSON(list(source = source, sets = sets), auto_unbox = TRUE, digits = NA, pretty = TRUE),
           "tests/reference/small_study.json")
