# Makes tests/reference/metafor_*.json. Run from the repository's root: Rscript validation/metafor/run_metafor.R
# Never runs in CI; README.md beside this file says what agrees with what.
suppressPackageStartupMessages({library(metafor); library(lme4); library(jsonlite)})

out <- "tests/reference"
versions <- list(R = R.version.string, metafor = as.character(packageVersion("metafor")),
                 lme4 = as.character(packageVersion("lme4")))

plain <- function(fit, prediction = TRUE) {
  p <- predict(fit)
  r <- list(b = c(fit$beta), se = fit$se, ci_lb = fit$ci.lb, ci_ub = fit$ci.ub)
  if (prediction) r <- c(r, list(pi_lb = p$pi.lb, pi_ub = p$pi.ub, tau2 = fit$tau2))
  c(r, list(I2 = fit$I2 / 100, H2 = fit$H2, QE = fit$QE, QEp = fit$QEp))
}

# The published calls, with the stopping rule of Fisher scoring tightened: metafor's own (an absolute change of 1e-5 in
# tau2) leaves REML right to four or five digits only.
normal <- function(xi, ni, method, test = "z")
  rma(measure = "PLO", xi = xi, ni = ni, method = method, test = test,
      control = list(threshold = 1e-12, maxiter = 10000))

glmm <- function(xi, ni) {
  g <- rma.glmm(measure = "PLO", xi = xi, ni = ni)     # nAGQ = 7, lme4's own stopping rules: what people run
  p <- predict(g)
  list(b = c(g$beta), se = g$se, ci_lb = g$ci.lb, ci_ub = g$ci.ub, pi_lb = p$pi.lb, pi_ub = p$pi.ub, tau2 = g$tau2,
       QE_LRT = g$QE.LRT, QE_df = g$QE.df, QEp_LRT = g$QEp.LRT)
}

# The same model straight from lme4, with 25 nodes and an optimiser that does not stop early.
glmer_exact <- function(xi, ni) {
  study <- factor(seq_along(xi))
  g <- suppressMessages(glmer(cbind(xi, ni - xi) ~ 1 + (1 | study), family = binomial, nAGQ = 25,
             control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-9,
                                    optCtrl = list(rhobeg = 0.02, rhoend = 1e-11, maxfun = 1e6))))
  list(b = unname(fixef(g)), se = unname(sqrt(vcov(g)[1, 1])), tau2 = unname(c(VarCorr(g)$study)))
}

fits <- function(xi, ni) {
  list(xi = xi, ni = ni,
       `common-logit` = plain(normal(xi, ni, "EE"), prediction = FALSE),
       `dl-logit` = plain(normal(xi, ni, "DL")),
       `dl-logit-hk` = plain(normal(xi, ni, "DL", "knha")),
       `reml-logit` = plain(normal(xi, ni, "REML")),
       `reml-logit-hk` = plain(normal(xi, ni, "REML", "knha")),
       `glmm-ml` = glmm(xi, ni),
       `glmer-25` = glmer_exact(xi, ni))
}

write <- function(name, data, sets) {
  source <- list(script = "validation/metafor/run_metafor.R", data = data,
                 calls = list(normal = 'rma(measure="PLO", xi=xi, ni=ni, method=, test=, control=list(threshold=1e-12))',
                              glmm = 'rma.glmm(measure="PLO", xi=xi, ni=ni)',
                              glmer = "glmer(cbind(xi, ni-xi) ~ 1 + (1|study), binomial, nAGQ=25), bobyqa to 1e-11"),
                 versions = versions,
                 scale = "b, se, ci_*, pi_*: logit; tau2: squared logit; I2: proportion")
  writeLines(toJSON(list(source = source, sets = sets), auto_unbox = TRUE, digits = NA, pretty = TRUE),
             file.path(out, paste0("metafor_", name, ".json")))
}

counts <- function(text) {
  m <- sapply(strsplit(strsplit(text, " ")[[1]], "/"), as.numeric)
  fits(m[1, ], m[2, ])
}

write("pritz1997", "Pritz (1997), as in Zhou, Brizendine & Pritz (1999), doi:10.1002/(SICI)1097-0258(19990315)18:5<557::AID-SIM53>3.0.CO;2-F; metadat::dat.pritz1997", list(all = counts(
  "16/17 10/12 4/8 43/58 10/10 25/42 13/14 12/12 22/41 4/5 5/6 18/23 58/68 6/10")))
write("debruin2009", "De Bruin et al. (2009), control groups, doi:10.1037/a0015989; metadat::dat.debruin2009",
      list(all = counts(
  "11/29 24/33 179/326 82/240 60/110 11/29 99/244 9/17 88/215 17/26 26/138 23/55 40/54")))
write("nielweise2007", "Niel-Weise, Stijnen & van den Broek (2007), control arms, doi:10.1007/s00134-007-0897-3; metadat::dat.nielweise2007",
      list(all = counts(paste("3/117 3/35 9/195 7/136 6/157 4/139 3/177 2/39 19/103 2/122 7/64 1/58 5/175 11/180 0/105",
                              "1/262 3/362 1/69"))))

d <- read.csv("alkbayes/data/cohorts.csv", colClasses = "character")
d$n <- as.numeric(d$n); d$responders <- as.numeric(d$responders)
d <- d[order(d$cohort_id, method = "radix"), ]
sets <- list(all = fits(d$responders, d$n))
for (column in c("line", "regimen_class"))
  for (level in unique(d[[column]])) {
    part <- d[d[[column]] == level, ]
    sets[[paste0(column, "=", level)]] <- fits(part$responders, part$n)
  }
write("cohorts", "alkbayes/data/cohorts.csv, sorted by cohort_id", sets)
