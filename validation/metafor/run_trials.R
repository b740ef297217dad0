# Makes tests/reference/metafor_multilevel.json and metafor_cluster_robust.json: cohorts that are not independent.
# Run from the repository's root: Rscript validation/metafor/run_trials.R
source("validation/metafor/shared.R")
suppressPackageStartupMessages(library(clubSandwich))

multilevel <- function(yi, vi, group, method, X = NULL) {
  d <- data.frame(yi, vi, group, cohort = seq_along(yi))
  fit <- function(test) {
    a <- list(yi = d$yi, V = d$vi, random = ~ 1 | group/cohort, data = d, method = method, test = test,
              control = list(optimizer = "optim", optmethod = "Nelder-Mead", reltol = 1e-15, maxit = 20000))
    if (!is.null(X)) a$mods <- X
    do.call(rma.mv, a)
  }
  z <- fit("z"); t <- fit("t")
  ends <- function(f) {
    p <- if (is.null(X)) predict(f) else predict(f, newmods = rep(0, ncol(X)))
    list(ci_lb = c(f$ci.lb), ci_ub = c(f$ci.ub), pi_lb = p$pi.lb[1], pi_ub = p$pi.ub[1])
  }
  # Nelder-Mead loses its way on some profiles; metafor's own optimiser, nlminb, does not.
  a <- list(yi = d$yi, V = d$vi, random = ~ 1 | group/cohort, data = d, method = method)
  if (!is.null(X)) a$mods <- X
  p <- confint(do.call(rma.mv, a), control = list(tol = 1e-10))
  list(method = method, yi = yi, vi = vi, group = as.character(group), X = X, b = I(c(z$beta)), vb = z$vb,
       sigma2 = z$sigma2, ll = as.numeric(logLik(z)), QE = z$QE, QEp = z$QEp, z = ends(z), t = ends(t),
       sigma2_ci = lapply(p[1:2], function(x) unname(x$random[1, 2:3])))
}

robust_set <- function(yi, vi, cluster, method, X = NULL) {
  a <- list(yi = yi, vi = vi, method = method, control = strict)
  if (!is.null(X)) a$mods <- X
  f <- do.call(rma, a)
  one <- function(type) {
    V <- vcovCR(f, cluster = cluster, type = type)
    r <- list(vcov = unclass(as.matrix(V))[, , drop = FALSE])
    attributes(r$vcov) <- list(dim = c(f$p, f$p))
    if (type == "CR2") {
      t <- coef_test(f, vcov = V, test = "Satterthwaite")
      ci <- conf_int(f, vcov = V, level = 0.95, test = "Satterthwaite")
      r <- c(r, list(se = I(t$SE), df = I(t$df), p = I(t$p_Satt), ci_lb = I(ci$CI_L), ci_ub = I(ci$CI_U)))
    }
    r
  }
  m <- robust(f, cluster = cluster)
  list(method = method, yi = yi, vi = vi, cluster = as.character(cluster), X = X, tau2 = f$tau2, b = I(c(f$beta)),
       CR0 = one("CR0"), CR2 = one("CR2"),
       robust = list(vb = m$vb, df = m$dfs, ci_lb = I(m$ci.lb), ci_ub = I(m$ci.ub)))
}

k <- metadat::dat.konstantopoulos2011
e <- logits(bundled)
pairs <- logits(bruin)
line <- cbind(pretreated = as.numeric(e$line == "pretreated"), mixed = as.numeric(e$line == "mixed"))

write_reference("multilevel", "run_trials.R", c("metafor", "metadat"),
  list(rma.mv = "rma.mv(yi, vi, random = ~ 1 | group/cohort, method=, test=), optim's Nelder-Mead to reltol 1e-15",
       data = "konstantopoulos: metadat::dat.konstantopoulos2011, schools within districts; cohorts: the bundled table, logits, within trials; within_only: De Bruin's logits in pairs that mirror each other, so that nothing is between them"),
  list(konstantopoulos_reml = multilevel(as.numeric(k$yi), k$vi, k$district, "REML"),
       konstantopoulos_ml = multilevel(as.numeric(k$yi), k$vi, k$district, "ML"),
       konstantopoulos_year = multilevel(as.numeric(k$yi), k$vi, k$district, "REML", cbind(year = k$year - 1990)),
       cohorts_reml = multilevel(as.numeric(e$yi), as.numeric(e$vi), e$trial, "REML"),
       cohorts_ml = multilevel(as.numeric(e$yi), as.numeric(e$vi), e$trial, "ML"),
       cohorts_line = multilevel(as.numeric(e$yi), as.numeric(e$vi), e$trial, "REML", line),
       within_only = multilevel(c(pairs$yi, -pairs$yi), rep(pairs$vi, 2), rep(seq_along(pairs$yi), 2), "REML")))

write_reference("cluster_robust", "run_trials.R", c("metafor", "metadat", "clubSandwich"),
  list(rma = "rma(yi, vi, method=, mods=), threshold 1e-12", club = "vcovCR(type=), coef_test and conf_int with test = \"Satterthwaite\"",
       robust = "metafor's robust(fit, cluster)"),
  list(konstantopoulos_reml = robust_set(as.numeric(k$yi), k$vi, k$district, "REML"),
       konstantopoulos_ee = robust_set(as.numeric(k$yi), k$vi, k$district, "EE"),
       konstantopoulos_year = robust_set(as.numeric(k$yi), k$vi, k$district, "DL", cbind(year = k$year - 1990)),
       cohorts_reml = robust_set(as.numeric(e$yi), as.numeric(e$vi), e$trial, "REML"),
       cohorts_dl = robust_set(as.numeric(e$yi), as.numeric(e$vi), e$trial, "DL"),
       cohorts_ee = robust_set(as.numeric(e$yi), as.numeric(e$vi), e$trial, "EE"),
       cohorts_line = robust_set(as.numeric(e$yi), as.numeric(e$vi), e$trial, "REML", line)))
