# Makes tests/reference/network_*.json: network meta-analyses by metafor and lme4.
#   Rscript validation/metafor/run_network.R
# Senn 2013 (metadat): differences of means with a three-arm trial, common effects and REML. With trials as fixed
# effects and rho = 1/2 the arm-based model is the contrast-based one (help page of dat.senn2013).
# Smoking cessation: the 22 trials of two arms, binomial likelihood, trials as fixed effects, the contrast's random
# effect split evenly between the arms, adaptive quadrature.
suppressMessages({
  library(metafor)
  library(metadat)
  library(lme4)
  library(jsonlite)
})

write <- function(name, value) {
  path <- file.path("tests", "reference", paste0("network_", name, ".json"))
  writeLines(toJSON(value, digits = 15, auto_unbox = TRUE, pretty = TRUE), path)
}

fitted_effects <- function(model) {
  at <- startsWith(names(coef(model)), "treatment")
  names <- sub("^treatment", "", names(coef(model))[at])
  list(
    treatments = names, effects = unname(coef(model)[at]), se = unname(model$se[at]),
    tau2 = if (is.null(model$tau2)) 0 else model$tau2, log_likelihood = as.numeric(logLik(model))
  )
}

dat <- dat.senn2013
dat$vi <- with(dat, sdi^2 / ni)
dat$treatment <- relevel(factor(dat$treatment), ref = "placebo")
mods <- ~ 0 + study + treatment
random <- ~ treatment | study
fit <- function(...) rma.mv(mi, vi, mods = mods, data = dat, ...)
write("senn2013", list(
  arms = data.frame(study = dat$study, treatment = as.character(dat$treatment), mean = dat$mi, variance = dat$vi),
  common = fitted_effects(fit()),
  REML = fitted_effects(fit(random = random, rho = 1 / 2, method = "REML", control = list(rel.tol = 1e-12)))
))

arms <- read.csv(file.path("tests", "fixtures", "randomised", "smoking.csv"))
two <- arms[arms$study %in% names(which(table(arms$study) == 2)), ]
two$study <- factor(two$study)
two$treatment <- relevel(factor(two$treatment), ref = "No intervention")
two$half <- ave(seq_len(nrow(two)), two$study, FUN = function(rows) c(-0.5, 0.5))
binomial_fit <- glmer(
  cbind(r, n - r) ~ 0 + study + treatment + (0 + half | study), data = two, family = binomial, nAGQ = 25,
  control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), check.conv.grad = "ignore")
)
at <- startsWith(names(fixef(binomial_fit)), "treatment")
write("smoking_two_arms", list(
  treatments = sub("^treatment", "", names(fixef(binomial_fit))[at]), effects = unname(fixef(binomial_fit)[at]),
  tau = unname(attr(VarCorr(binomial_fit)$study, "stddev"))
))
