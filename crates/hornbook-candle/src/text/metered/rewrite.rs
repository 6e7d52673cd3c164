//! A chat template written out anew, with a meter wherever data are made or read.
//!
//! Fuel bounds the steps of a template, not what a step does: thirty steps of `x ~ x` make a text of
//! gigabytes. So every operand, argument and result of an operation passes one of three filters:
//! `data` charges all of a value, `size` its outermost length, `plain` is `data` that lets nothing
//! pass which could hold itself. They are filters because a template can redefine every variable
//! and function, but no filter. Nothing else is changed.

use minijinja::Value;
use minijinja::machinery::ast::{
    CallBlock, Expr, ForLoop, IfCond, Macro, Set, SetBlock, Stmt, WithBlock,
};
use minijinja::machinery::{WhitespaceConfig, parse};

/// The template with its meters, or why it cannot be one.
///
/// Goes as deep as the source nests: it needs a stack that fits.
pub(super) fn rewrite(source: &str) -> Result<String, String> {
    // As the Hugging Face libraries set up Jinja for chat templates.
    let spaces =
        WhitespaceConfig { keep_trailing_newline: false, lstrip_blocks: true, trim_blocks: true };
    let parsed = parse(source, super::NAME, Default::default(), spaces)
        .map_err(|error| error.to_string())?;
    let mut writer = Writer { text: String::new(), line: 1 };
    writer.statement(&parsed)?;
    Ok(writer.text)
}

/// What is written so far.
pub(super) struct Writer {
    text: String,
    /// Where the text has come to, as errors count.
    line: u16,
}

/// Whether the template was one that can be metered.
pub(super) type Written = Result<(), String>;

impl Writer {
    pub(super) fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Breaks lines, inside a tag, until an error would name that one.
    pub(super) fn come_to(&mut self, line: u16) {
        while self.line < line {
            self.put("\n");
            self.line += 1;
        }
    }

    fn statements(&mut self, statements: &[Stmt<'_>]) -> Written {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt<'_>) -> Written {
        match statement {
            Stmt::Template(template) => self.statements(&template.children)?,
            Stmt::EmitRaw(raw) => {
                self.put("{{ ");
                self.constant(&Value::from(raw.raw))?;
                self.put(" }}");
            }
            Stmt::EmitExpr(emitted) => {
                self.put("{{ ");
                match &emitted.expr {
                    // What is written is charged anyway, and a loop that calls itself is
                    // recognised by its form.
                    Expr::Call(call) => self.call(call)?,
                    expr => self.expr(expr)?,
                }
                self.put(" }}");
            }
            Stmt::ForLoop(each) => self.for_loop(each)?,
            Stmt::IfCond(condition) => self.if_cond(condition)?,
            Stmt::WithBlock(with) => self.with_block(with)?,
            Stmt::Set(set) => self.set(set)?,
            Stmt::SetBlock(set) => self.set_block(set)?,
            Stmt::FilterBlock(block) => {
                self.put("{% filter ");
                if let Expr::Filter(filter) = &block.filter {
                    self.filters(filter)?;
                }
                self.block(" %}", &block.body, "{% endfilter %}")?;
            }
            Stmt::Macro(declared) => {
                self.put("{% macro ");
                self.put(declared.name);
                self.parameters(declared)?;
                self.block(" %}", &declared.body, "{% endmacro %}")?;
            }
            Stmt::CallBlock(block) => self.call_block(block)?,
            Stmt::Do(done) => {
                self.put("{% do ");
                self.call(&done.call)?;
                self.put(" %}");
            }
            Stmt::Continue(_) => self.put("{% continue %}"),
            Stmt::Break(_) => self.put("{% break %}"),
            // No chat template has them.
            Stmt::AutoEscape(_)
            | Stmt::Block(_)
            | Stmt::Import(_)
            | Stmt::FromImport(_)
            | Stmt::Extends(_)
            | Stmt::Include(_) => {
                return Err("autoescape, blocks and other templates are not known here".to_owned());
            }
        }
        Ok(())
    }

    fn block(&mut self, begin: &str, body: &[Stmt<'_>], end: &str) -> Written {
        self.put(begin);
        self.statements(body)?;
        self.put(end);
        Ok(())
    }

    fn for_loop(&mut self, each: &ForLoop<'_>) -> Written {
        self.put("{% for ");
        self.target(&each.target, false)?;
        self.put(" in ");
        self.expr(&each.iter)?;
        self.put("|size");
        if let Some(filter) = &each.filter_expr {
            self.put(" if ");
            self.expr(filter)?;
        }
        self.put(if each.recursive { " recursive" } else { "" });
        self.block(" %}", &each.body, "")?;
        if !each.else_body.is_empty() {
            self.block("{% else %}", &each.else_body, "")?;
        }
        self.put("{% endfor %}");
        Ok(())
    }

    fn if_cond(&mut self, condition: &IfCond<'_>) -> Written {
        let mut condition = condition;
        self.put("{% if ");
        loop {
            self.expr(&condition.expr)?;
            self.block(" %}", &condition.true_body, "")?;
            match condition.false_body.as_slice() {
                [] => break,
                [Stmt::IfCond(next)] => {
                    condition = next;
                    self.put("{% elif ");
                }
                others => {
                    self.block("{% else %}", others, "")?;
                    break;
                }
            }
        }
        self.put("{% endif %}");
        Ok(())
    }

    fn with_block(&mut self, with: &WithBlock<'_>) -> Written {
        self.put("{% with ");
        for (number, (target, value)) in with.assignments.iter().enumerate() {
            self.put(if number == 0 { "" } else { ", " });
            self.target(target, true)?;
            self.put(" = ");
            self.expr(value)?;
        }
        self.block(" %}", &with.body, "{% endwith %}")
    }

    fn set(&mut self, set: &Set<'_>) -> Written {
        self.put("{% set ");
        self.target(&set.target, false)?;
        self.put(" = ");
        self.expr(&set.expr)?;
        self.put(if sets_attribute(&set.target) { "|plain %}" } else { " %}" });
        Ok(())
    }

    fn set_block(&mut self, set: &SetBlock<'_>) -> Written {
        self.put("{% set ");
        self.target(&set.target, false)?;
        if let Some(Expr::Filter(filter)) = &set.filter {
            self.put(" | ");
            self.filters(filter)?;
        }
        self.block(" %}", &set.body, "{% endset %}")
    }

    fn call_block(&mut self, block: &CallBlock<'_>) -> Written {
        self.put("{% call");
        if !block.macro_decl.args.is_empty() {
            self.parameters(&block.macro_decl)?;
        }
        self.put(" ");
        self.call(&block.call)?;
        self.block(" %}", &block.macro_decl.body, "{% endcall %}")
    }

    fn parameters(&mut self, declared: &Macro<'_>) -> Written {
        let without = declared.args.len().saturating_sub(declared.defaults.len());
        self.put("(");
        for (number, name) in declared.args.iter().enumerate() {
            self.put(if number == 0 { "" } else { ", " });
            self.target(name, true)?;
            if let Some(default) =
                number.checked_sub(without).and_then(|n| declared.defaults.get(n))
            {
                self.put("=");
                self.expr(default)?;
            }
        }
        self.put(")");
        Ok(())
    }

    /// What is assigned to.
    fn target(&mut self, target: &Expr<'_>, is_inner: bool) -> Written {
        match target {
            Expr::Var(var) => self.put(var.id),
            Expr::GetAttr(attribute) => {
                self.target(&attribute.expr, true)?;
                self.put(".");
                self.put(attribute.name);
            }
            Expr::List(list) => {
                self.put(if is_inner { "(" } else { "" });
                for (number, item) in list.items.iter().enumerate() {
                    self.put(if number == 0 { "" } else { ", " });
                    self.target(item, true)?;
                }
                self.put(if list.items.len() == 1 { "," } else { "" });
                self.put(if is_inner { ")" } else { "" });
            }
            _ => return Err("something else than a name is assigned to".to_owned()),
        }
        Ok(())
    }
}

fn sets_attribute(target: &Expr<'_>) -> bool {
    match target {
        Expr::GetAttr(_) => true,
        Expr::List(list) => list.items.iter().any(sets_attribute),
        _ => false,
    }
}
