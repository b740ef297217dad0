# Makes tests/reference/metafor_beta_binomial.json. Run from the repository's root:
# Rscript validation/metafor/run_beta_binomial.R
source("validation/metafor/shared.R")
suppressPackageStartupMessages({library(VGAM); library(glmmTMB)})

fits <- function(d) {
  xi <- d$xi; ni <- d$ni
  v <- vglm(cbind(xi, ni - xi) ~ 1, VGAM::betabinomial, control = vglm.control(epsilon = 1e-13, maxit = 500))
  g <- glmmTMB(cbind(xi, ni - xi) ~ 1, family = glmmTMB::betabinomial(),
               control = glmmTMBControl(optCtrl = list(rel.tol = 1e-15, x.tol = 1e-12, iter.max = 1000, eval.max = 1000)))
  b <- logLik(glm(cbind(xi, ni - xi) ~ 1, family = binomial))
  list(xi = xi, ni = ni,
       vgam = list(logit_mu = unname(coef(v)[1]), rho = unname(plogis(coef(v)[2])), ll = logLik(v)),
       glmmTMB = list(logit_mu = unname(fixef(g)$cond), se = unname(sqrt(vcov(g)$cond[1, 1])), rho = 1 / (1 + sigma(g)),
                      log_phi_se = unname(sqrt(vcov(g, full = TRUE)[2, 2])), ll = as.numeric(logLik(g))),
       binomial_ll = as.numeric(b))
}

write_reference("beta_binomial", "run_beta_binomial.R", c("VGAM", "glmmTMB"),
  list(vgam = "vglm(cbind(xi, ni - xi) ~ 1, betabinomial), epsilon 1e-13",
       glmmTMB = "glmmTMB(cbind(xi, ni - xi) ~ 1, family = betabinomial()), rel.tol 1e-15; rho = 1 / (1 + sigma)"),
  list(pritz1997 = fits(pritz), debruin2009 = fits(bruin), nielweise2007 = fits(nielweise), cohorts = fits(bundled)))
