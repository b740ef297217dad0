# Makes tests/reference/metafor_influence.json: influence, Baujat, leave-one-out. Run from the repository's root:
# Rscript validation/metafor/run_influence.R
source("validation/metafor/shared.R")
suppressPackageStartupMessages(library(lme4))
pdf(NULL)

diagnostics <- function(d, method, test = "z", mods = NULL) {
  e <- logits(d)
  a <- list(yi = as.numeric(e$yi), vi = as.numeric(e$vi), method = method, test = test, control = strict)
  if (!is.null(mods)) a$mods <- mods
  f <- do.call(rma, a)
  i <- influence(f); b <- baujat(f); r <- rstudent(f)
  out <- list(method = method, test = test, X = mods, xi = d$xi, ni = d$ni, rstudent = r$z, dffits = i$inf$dffits,
              cook = i$inf$cook.d, cov_r = i$inf$cov.r, tau2_del = i$inf$tau2.del, QE_del = i$inf$QE.del,
              hat = i$inf$hat, weight = i$inf$weight / 100, dfbs = do.call(cbind, unclass(i$dfbs)[seq_len(f$p)]),
              influential = i$is.infl, baujat_x = b$x, baujat_y = b$y)
  if (is.null(mods)) {
    l <- leave1out(f)
    out <- c(out, list(leave1out = list(b = l$estimate, se = l$se, ci_lb = l$ci.lb, ci_ub = l$ci.ub, Q = l$Q,
                                        Qp = l$Qp, tau2 = if (is.null(l$tau2)) rep(0, length(l$Q)) else l$tau2,
                                        I2 = l$I2 / 100, H2 = l$H2)))
  }
  out
}

exact <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-9, optCtrl = list(rhobeg = 0.02, rhoend = 1e-11, maxfun = 1e6))
glmm <- function(d) {
  d$study <- factor(seq_along(d$xi))
  g <- suppressMessages(glmer(cbind(xi, ni - xi) ~ 1 + (1 | study), d, binomial, nAGQ = 25, control = exact))
  c(unname(fixef(g)), unname(sqrt(vcov(g)[1, 1])), unname(c(VarCorr(g)$study)))
}
glmm_without <- function(d, units) {
  each <- unique(units)
  m <- sapply(each, function(u) glmm(d[units != u, ]))
  list(xi = d$xi, ni = d$ni, units = as.character(units), each = as.character(each), b = m[1, ], se = m[2, ],
       tau2 = m[3, ])
}
normal_without <- function(d, units) {
  each <- unique(units)
  e <- logits(d)
  m <- sapply(each, function(u) {
    f <- rma(yi, vi, data = e[units != u, ], method = "REML", control = strict)
    c(f$beta, f$se, f$tau2, f$QE)
  })
  list(xi = d$xi, ni = d$ni, units = as.character(units), each = as.character(each), b = m[1, ], se = m[2, ],
       tau2 = m[3, ], QE = m[4, ])
}

line <- cbind(pretreated = as.numeric(bundled$line == "pretreated"), mixed = as.numeric(bundled$line == "mixed"))
four <- function(d) list(ee = diagnostics(d, "EE"), dl = diagnostics(d, "DL"), reml = diagnostics(d, "REML"),
                         reml_knha = diagnostics(d, "REML", "knha"))
sets <- list()
for (name in c("pritz1997", "debruin2009", "nielweise2007", "cohorts")) {
  d <- list(pritz1997 = pritz, debruin2009 = bruin, nielweise2007 = nielweise, cohorts = bundled)[[name]]
  for (m in names(fits <- four(d))) sets[[paste(name, m, sep = "_")]] <- fits[[m]]
}
sets[c("cohorts_dl", "cohorts_reml")] <- NULL   # the other two say as much, and the file is long
sets$cohorts_line_knha <- diagnostics(bundled, "DL", "knha", mods = line)
trial <- bundled$trial
write_reference("influence", "run_influence.R", c("metafor", "lme4"),
  list(rma = "rma(yi, vi, method=, test=, mods=), logits, threshold 1e-12, then influence, rstudent, baujat, leave1out",
       glmm = "glmer(cbind(xi, ni - xi) ~ 1 + (1 | study), nAGQ = 25), bobyqa to 1e-11, without each unit"),
  list(influence = sets,
       trials_reml = normal_without(bundled, trial),
       glmm = list(pritz1997 = glmm_without(pritz, seq_along(pritz$xi)),
                   debruin2009 = glmm_without(bruin, seq_along(bruin$xi)),
                   nielweise2007 = glmm_without(nielweise, seq_along(nielweise$xi)),
                   cohorts = glmm_without(bundled, bundled$cohort_id),
                   trials = glmm_without(bundled, trial))))
