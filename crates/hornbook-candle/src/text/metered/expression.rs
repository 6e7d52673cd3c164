//! How expressions are written: each stands for itself, whatever is around it.

use minijinja::Value;
use minijinja::machinery::ast::{
    BinOp, BinOpKind, Call, CallArg, Compare, CompareOpKind, Expr, Filter, Slice, UnaryOpKind,
};

use super::rewrite::{Writer, Written};

/// Filters that touch no more than the outermost values.
const SHALLOW_FILTERS: [&str; 9] =
    ["count", "d", "default", "first", "items", "last", "length", "list", "reverse"];

impl Writer {
    pub(super) fn expr(&mut self, expr: &Expr<'_>) -> Written {
        self.come_to(expr.span().start_line);
        match expr {
            Expr::Var(var) => self.put(var.id),
            Expr::Const(constant) => self.constant(&constant.value)?,
            Expr::GetAttr(attribute) => {
                self.expr(&attribute.expr)?;
                self.put(".");
                self.put(attribute.name);
            }
            Expr::GetItem(item) => {
                self.sized(&item.expr)?;
                self.put("[");
                self.expr(&item.subscript_expr)?;
                self.put("]");
            }
            Expr::Slice(slice) => self.slice(slice)?,
            Expr::Call(call) => {
                self.put("(");
                self.call(call)?;
                self.put("|data)");
            }
            Expr::List(list) => {
                self.put("([");
                for item in &list.items {
                    self.expr(item)?;
                    self.put(", ");
                }
                self.put("]|data)");
            }
            Expr::Map(map) => {
                self.put("({");
                for (key, value) in map.keys.iter().zip(&map.values) {
                    self.expr(key)?;
                    self.put(": ");
                    self.expr(value)?;
                    self.put(", ");
                }
                self.put("}|data)");
            }
            Expr::UnaryOp(unary) => {
                self.put(match unary.op {
                    UnaryOpKind::Not => "(not ",
                    UnaryOpKind::Neg => "(-",
                });
                self.expr(&unary.expr)?;
                self.put(")");
            }
            Expr::BinOp(binary) => {
                self.put("(");
                self.bin_op(binary)?;
                self.put(")");
            }
            Expr::Compare(compare) => self.compare(compare)?,
            Expr::IfExpr(choice) => {
                self.put("(");
                self.expr(&choice.true_expr)?;
                self.put(" if ");
                self.expr(&choice.test_expr)?;
                if let Some(other) = &choice.false_expr {
                    self.put(" else ");
                    self.expr(other)?;
                }
                self.put(")");
            }
            Expr::Filter(filter) => {
                self.put("(");
                self.filters(filter)?;
                self.put(")");
            }
            Expr::Test(test) => {
                self.put("(");
                self.expr(&test.expr)?;
                self.put(if test.args.is_empty() { "|size is " } else { "|data is " });
                self.put(test.name);
                if !test.args.is_empty() {
                    self.arguments(&test.args, "|data")?;
                }
                self.put(")");
            }
        }
        Ok(())
    }

    fn sized(&mut self, expr: &Expr<'_>) -> Written {
        self.put("(");
        self.expr(expr)?;
        self.put("|size)");
        Ok(())
    }

    fn slice(&mut self, slice: &Slice<'_>) -> Written {
        self.sized(&slice.expr)?;
        self.put("[");
        for (number, bound) in [&slice.start, &slice.stop, &slice.step].into_iter().enumerate() {
            self.put(if number == 0 { "" } else { ":" });
            if let Some(bound) = bound {
                self.expr(bound)?;
            }
        }
        self.put("]");
        Ok(())
    }

    fn bin_op(&mut self, binary: &BinOp<'_>) -> Written {
        let BinOp { op, left, right } = binary;
        if let BinOpKind::Mul = op {
            self.expr(left)?;
            self.put("|times(");
            self.expr(right)?;
            self.put(")");
            return Ok(());
        }
        let (sign, metered) = operator(*op);
        match left {
            // Chains of one operator stay flat: what nests deeply is not parsed.
            Expr::BinOp(inner) if chains(*op) && operator(inner.op) == (sign, metered) => {
                self.bin_op(inner)?;
            }
            left => self.operand(left, metered)?,
        }
        self.put(" ");
        self.put(sign);
        self.put(" ");
        self.operand(right, metered)
    }

    fn operand(&mut self, operand: &Expr<'_>, metered: bool) -> Written {
        self.expr(operand)?;
        // Constant texts too: otherwise they would be put together while the template is read.
        let is_number = matches!(operand, Expr::Const(constant) if constant.value.is_number());
        self.put(if metered && !is_number { "|data" } else { "" });
        Ok(())
    }

    fn compare(&mut self, compare: &Compare<'_>) -> Written {
        self.put("(");
        self.operand(&compare.expr, true)?;
        for next in &compare.ops {
            self.put(match next.op {
                CompareOpKind::Eq => " == ",
                CompareOpKind::Ne => " != ",
                CompareOpKind::Lt => " < ",
                CompareOpKind::Lte => " <= ",
                CompareOpKind::Gt => " > ",
                CompareOpKind::Gte => " >= ",
                CompareOpKind::In => " in ",
                CompareOpKind::NotIn => " not in ",
            });
            self.operand(&next.expr, true)?;
        }
        self.put(")");
        Ok(())
    }

    pub(super) fn filters(&mut self, filter: &Filter<'_>) -> Written {
        let meter = meter(filter.name);
        match &filter.expr {
            None => (),
            Some(Expr::Filter(inner)) => {
                self.filters(inner)?;
                self.put(if self::meter(inner.name) == meter { "" } else { meter });
                self.put("|");
            }
            Some(expr) => {
                self.expr(expr)?;
                self.put(meter);
                self.put("|");
            }
        }
        self.put(filter.name);
        if !filter.args.is_empty() {
            self.arguments(&filter.args, meter)?;
        }
        self.put(meter);
        Ok(())
    }

    pub(super) fn call(&mut self, call: &Call<'_>) -> Written {
        match &call.expr {
            Expr::GetAttr(attribute) => {
                self.sized(&attribute.expr)?;
                self.put(".");
                self.put(attribute.name);
                // `loop.changed` keeps what it is given.
                let keeps = attribute.name == "changed";
                self.arguments(&call.args, if keeps { "|plain" } else { "|size" })
            }
            other => {
                self.expr(other)?;
                self.arguments(&call.args, "")
            }
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>], meter: &str) -> Written {
        self.put("(");
        for (number, argument) in arguments.iter().enumerate() {
            self.put(if number == 0 { "" } else { ", " });
            let (value, meter) = match argument {
                CallArg::Pos(value) => (value, meter),
                CallArg::Kwarg(name, value) => {
                    self.put(name);
                    self.put("=");
                    (value, meter)
                }
                CallArg::PosSplat(value) => {
                    self.put("*");
                    (value, "|data")
                }
                CallArg::KwargSplat(value) => {
                    self.put("**");
                    (value, "|data")
                }
            };
            self.expr(value)?;
            self.put(meter);
        }
        self.put(")");
        Ok(())
    }

    /// A constant as the language spells it; its texts are those of JSON.
    pub(super) fn constant(&mut self, value: &Value) -> Written {
        if value.is_number() && f64::try_from(value.clone()).is_ok_and(|number| !number.is_finite())
        {
            return Err("a number is too large".to_owned());
        }
        let spelled = match value.as_str() {
            Some(text) => serde_json::to_string(text).map_err(|error| error.to_string())?,
            None => value.to_string(),
        };
        self.put(&spelled);
        Ok(())
    }
}

/// Charged before and after that filter.
fn meter(filter: &str) -> &'static str {
    if SHALLOW_FILTERS.contains(&filter) { "|size" } else { "|data" }
}

/// An operator's sign, and whether it reads or makes data.
fn operator(op: BinOpKind) -> (&'static str, bool) {
    match op {
        BinOpKind::ScAnd => ("and", false),
        BinOpKind::ScOr => ("or", false),
        BinOpKind::Eq => ("==", true),
        BinOpKind::Ne => ("!=", true),
        BinOpKind::Lt => ("<", true),
        BinOpKind::Lte => ("<=", true),
        BinOpKind::Gt => (">", true),
        BinOpKind::Gte => (">=", true),
        BinOpKind::In => ("in", true),
        BinOpKind::Add => ("+", true),
        BinOpKind::Concat => ("~", true),
        BinOpKind::Sub => ("-", false),
        BinOpKind::Mul => ("*", false),
        BinOpKind::Div => ("/", false),
        BinOpKind::FloorDiv => ("//", false),
        BinOpKind::Rem => ("%", false),
        BinOpKind::Pow => ("**", false),
    }
}

fn chains(op: BinOpKind) -> bool {
    matches!(op, BinOpKind::ScAnd | BinOpKind::ScOr | BinOpKind::Add | BinOpKind::Concat)
}
