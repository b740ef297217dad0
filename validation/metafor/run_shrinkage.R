# Makes tests/reference/metafor_shrinkage.json: BLUPs and conditional modes. Run from the repository's root:
# Rscript validation/metafor/run_shrinkage.R
source("validation/metafor/shared.R")
suppressPackageStartupMessages(library(lme4))

blups <- function(d, method, test = "z", mods = NULL) {
  e <- logits(d)
  a <- list(yi = as.numeric(e$yi), vi = as.numeric(e$vi), method = method, test = test, control = strict)
  if (!is.null(mods)) a$mods <- mods
  f <- do.call(rma, a)
  b <- blup(f)
  list(method = method, test = test, X = mods, xi = d$xi, ni = d$ni, pred = b$pred, se = b$se, pi_lb = b$pi.lb,
       pi_ub = b$pi.ub)
}

exact <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-9, optCtrl = list(rhobeg = 0.02, rhoend = 1e-11, maxfun = 1e6))

modes <- function(d) {
  d$study <- factor(seq_along(d$xi))
  g <- suppressMessages(glmer(cbind(xi, ni - xi) ~ 1 + (1 | study), d, binomial, nAGQ = 25, control = exact))
  list(xi = d$xi, ni = d$ni, beta = I(unname(fixef(g))), tau = unname(sqrt(c(VarCorr(g)$study))),
       theta = unname(fixef(g)) + ranef(g, condVar = FALSE)$study[as.character(d$study), 1])
}

nested_modes <- function(d) {
  d$cohort <- factor(seq_along(d$xi)); d$trial <- factor(d$trial)
  g <- suppressMessages(glmer(cbind(xi, ni - xi) ~ 1 + (1 | trial) + (1 | cohort), d, binomial, control = exact))
  r <- ranef(g, condVar = FALSE)
  list(xi = d$xi, ni = d$ni, group = as.character(d$trial), beta = I(unname(fixef(g))),
       tau = unname(sqrt(c(VarCorr(g)$cohort))), tau_group = unname(sqrt(c(VarCorr(g)$trial))),
       theta = unname(fixef(g)) + r$trial[as.character(d$trial), 1] + r$cohort[as.character(d$cohort), 1])
}

line <- cbind(pretreated = as.numeric(bundled$line == "pretreated"), mixed = as.numeric(bundled$line == "mixed"))
write_reference("shrinkage", "run_shrinkage.R", c("metafor", "lme4"),
  list(blup = "blup(rma(yi, vi, method=, test=, mods=)), logits, threshold 1e-12",
       modes = "ranef(glmer(..., nAGQ = 25)); two levels: ranef(glmer(... (1 | trial) + (1 | cohort))), Laplace"),
  list(blup = list(pritz1997 = blups(pritz, "DL"), debruin2009 = blups(bruin, "REML"),
                   nielweise2007 = blups(nielweise, "REML", "knha"), cohorts = blups(bundled, "REML"),
                   cohorts_line = blups(bundled, "ML", mods = line)),
       modes = list(pritz1997 = modes(pritz), debruin2009 = modes(bruin), nielweise2007 = modes(nielweise),
                    cohorts = modes(bundled), cohorts_nested = nested_modes(bundled))))
