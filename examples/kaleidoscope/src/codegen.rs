//! A function becomes LLVM IR, with inkwell: nothing here knows that code is kept.
//!
//! Each function is a module of its own, which declares those that it calls. Variables lie in memory; LLVM's optimiser makes registers of them.

use crate::syntax::{Expression, Function, binary, unary};
use inkwell::FloatPredicate;
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::basic_block::BasicBlock;
use inkwell::builder::{Builder, BuilderError};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::types::BasicMetadataTypeEnum;
use inkwell::values::{BasicMetadataValueEnum, FloatValue, FunctionValue, PointerValue};

/// The symbol of a function. LLVM knows what the C library's functions do, and folds `floor(2.5)`; no function of its is called `floor()`.
pub(crate) fn symbol(function: &str) -> String {
    format!("{function}()")
}

/// Bitcode of a module that defines the function.
pub(crate) fn bitcode(function: &Function) -> Result<Vec<u8>, BuilderError> {
    let context = Context::create();
    let module = context.create_module(&function.prototype.name);
    let parameters = &function.prototype.parameters;
    let value = declare(&context, &module, &function.prototype.name, parameters.len());
    // Calls that can't be made unwind.
    let unwind_tables = Attribute::get_named_enum_kind_id("uwtable");
    value.add_attribute(AttributeLoc::Function, context.create_enum_attribute(unwind_tables, 2));
    let entry = context.append_basic_block(value, "entry");
    let builder = context.create_builder();
    builder.position_at_end(entry);
    let mut generator = Generator { context: &context, module: &module, builder, function: value, variables: vec![] };
    for (name, parameter) in parameters.iter().zip(value.get_param_iter()) {
        generator.introduce(name, parameter.into_float_value())?;
    }
    let result = generator.expression(&function.body)?;
    generator.builder.build_return(Some(&result))?;
    Ok(module.write_bitcode_to_memory().as_slice().to_vec())
}

fn declare<'c>(context: &'c Context, module: &Module<'c>, name: &str, arity: usize) -> FunctionValue<'c> {
    let number = context.f64_type();
    let parameters: Vec<BasicMetadataTypeEnum<'c>> = vec![number.into(); arity];
    let symbol = symbol(name);
    module
        .get_function(&symbol)
        .unwrap_or_else(|| module.add_function(&symbol, number.fn_type(&parameters, false), None))
}

struct Generator<'a, 'c> {
    context: &'c Context,
    module: &'a Module<'c>,
    builder: Builder<'c>,
    function: FunctionValue<'c>,
    /// In scope; the innermost is the last.
    variables: Vec<(String, PointerValue<'c>)>,
}

type Number<'c> = Result<FloatValue<'c>, BuilderError>;

impl<'c> Generator<'_, 'c> {
    fn expression(&mut self, expression: &Expression) -> Number<'c> {
        match expression {
            Expression::Number(number) => Ok(self.constant(*number)),
            Expression::Variable(name) => self.load(self.variable(name)),
            Expression::Assign(name, value) => {
                let value = self.expression(value)?;
                self.builder.build_store(self.variable(name), value)?;
                Ok(value)
            }
            Expression::Unary(operator, operand) => {
                let operand = self.expression(operand)?;
                self.call(&unary(*operator), &[operand])
            }
            Expression::Binary(operator, operands) => {
                let [left, right] = &**operands;
                let (left, right) = (self.expression(left)?, self.expression(right)?);
                self.operation(*operator, left, right)
            }
            Expression::Call(name, arguments) => {
                let arguments: Result<Vec<_>, _> = arguments.iter().map(|value| self.expression(value)).collect();
                self.call(name, &arguments?)
            }
            Expression::If(parts) => self.choice(parts),
            Expression::For(variable, parts) => self.repetition(variable, parts),
            Expression::Var(variables, body) => {
                let scope = self.variables.len();
                for (name, value) in variables {
                    let value = self.expression(value)?;
                    self.introduce(name, value)?;
                }
                let result = self.expression(body)?;
                self.variables.truncate(scope);
                Ok(result)
            }
        }
    }

    fn operation(&self, operator: char, left: FloatValue<'c>, right: FloatValue<'c>) -> Number<'c> {
        match operator {
            '+' => self.builder.build_float_add(left, right, "sum"),
            '-' => self.builder.build_float_sub(left, right, "difference"),
            '*' => self.builder.build_float_mul(left, right, "product"),
            '/' => self.builder.build_float_div(left, right, "quotient"),
            '<' => self.comparison(FloatPredicate::OLT, left, right),
            '>' => self.comparison(FloatPredicate::OGT, left, right),
            _ => self.call(&binary(operator), &[left, right]),
        }
    }

    /// One if it holds, zero if not.
    fn comparison(&self, predicate: FloatPredicate, left: FloatValue<'c>, right: FloatValue<'c>) -> Number<'c> {
        let holds = self.builder.build_float_compare(predicate, left, right, "holds")?;
        self.builder.build_unsigned_int_to_float(holds, self.context.f64_type(), "number")
    }

    fn call(&self, name: &str, arguments: &[FloatValue<'c>]) -> Number<'c> {
        let function = declare(self.context, self.module, name, arguments.len());
        let arguments: Vec<BasicMetadataValueEnum<'c>> = arguments.iter().map(|&argument| argument.into()).collect();
        let call = self.builder.build_call(function, &arguments, "result")?;
        Ok(call.try_as_basic_value().unwrap_basic().into_float_value())
    }

    fn choice(&mut self, [condition, then, otherwise]: &[Expression; 3]) -> Number<'c> {
        let [then_block, else_block, end] = ["then", "else", "end"].map(|name| self.block(name));
        self.branch(condition, then_block, else_block)?;
        let (then, then_end) = self.arm(then, then_block, end)?;
        let (otherwise, else_end) = self.arm(otherwise, else_block, end)?;
        self.builder.position_at_end(end);
        let value = self.builder.build_phi(self.context.f64_type(), "value")?;
        value.add_incoming(&[(&then, then_end), (&otherwise, else_end)]);
        Ok(value.as_basic_value().into_float_value())
    }

    /// One of two ways to `end`: its value, and the block in which it is known.
    fn arm(
        &mut self,
        expression: &Expression,
        block: BasicBlock<'c>,
        end: BasicBlock<'c>,
    ) -> Result<(FloatValue<'c>, BasicBlock<'c>), BuilderError> {
        self.builder.position_at_end(block);
        let value = self.expression(expression)?;
        let last = self.builder.get_insert_block().unwrap_or(block);
        self.builder.build_unconditional_branch(end)?;
        Ok((value, last))
    }

    fn repetition(&mut self, variable: &str, [first, condition, step, body]: &[Expression; 4]) -> Number<'c> {
        let [test, body_block, end] = ["test", "body", "end"].map(|name| self.block(name));
        let first = self.expression(first)?;
        let place = self.introduce(variable, first)?;
        self.builder.build_unconditional_branch(test)?;
        self.builder.position_at_end(test);
        self.branch(condition, body_block, end)?;
        self.builder.position_at_end(body_block);
        self.expression(body)?;
        let step = self.expression(step)?;
        let next = self.builder.build_float_add(self.load(place)?, step, "next")?;
        self.builder.build_store(place, next)?;
        self.builder.build_unconditional_branch(test)?;
        self.builder.position_at_end(end);
        self.variables.pop();
        Ok(self.constant(0.0))
    }

    fn branch(
        &mut self,
        condition: &Expression,
        then: BasicBlock<'c>,
        otherwise: BasicBlock<'c>,
    ) -> Result<(), BuilderError> {
        let condition = self.expression(condition)?;
        let zero = self.constant(0.0);
        let holds = self.builder.build_float_compare(FloatPredicate::ONE, condition, zero, "holds")?;
        self.builder.build_conditional_branch(holds, then, otherwise)?;
        Ok(())
    }

    /// Brings a variable into scope.
    fn introduce(&mut self, name: &str, value: FloatValue<'c>) -> Result<PointerValue<'c>, BuilderError> {
        let place = self.reserve(name)?;
        self.builder.build_store(place, value)?;
        self.variables.push((name.to_owned(), place));
        Ok(place)
    }

    /// Memory of a variable: where the function begins, so that a loop doesn't reserve it again and again.
    fn reserve(&self, name: &str) -> Result<PointerValue<'c>, BuilderError> {
        let builder = self.context.create_builder();
        let entry = self.function.get_first_basic_block().ok_or(BuilderError::UnsetPosition)?;
        match entry.get_first_instruction() {
            Some(first) => builder.position_before(&first),
            None => builder.position_at_end(entry),
        }
        builder.build_alloca(self.context.f64_type(), name)
    }

    fn load(&self, place: PointerValue<'c>) -> Number<'c> {
        Ok(self.builder.build_load(self.context.f64_type(), place, "value")?.into_float_value())
    }

    fn variable(&self, name: &str) -> PointerValue<'c> {
        let found = self.variables.iter().rev().find(|(variable, _)| variable == name);
        found.expect("the parser knows all variables").1
    }

    fn constant(&self, number: f64) -> FloatValue<'c> {
        self.context.f64_type().const_float(number)
    }

    fn block(&self, name: &str) -> BasicBlock<'c> {
        self.context.append_basic_block(self.function, name)
    }
}
