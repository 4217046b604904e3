//! What is compiled: rules over the readings of sensors. Such an application gets them from its users; this one makes them up.

use std::fmt::Write;

/// Sensors of a reading.
pub(crate) const SENSORS: usize = 8;
/// Conditions of a rule.
const TERMS: usize = 6;

/// One reading: a value of each sensor.
pub(crate) type Reading = [f64; SENSORS];

/// Counts with `weight` what a sensor says beyond `threshold`.
struct Term {
    sensor: usize,
    threshold: f64,
    weight: f64,
}

/// The terms of a rule. They are eighths, which LLVM's text takes for what they are.
fn terms(rule: usize) -> impl Iterator<Item = Term> {
    (0..TERMS).map(move |term| {
        let number = (rule * TERMS + term + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        let eighths = |number: usize| (number % 1024) as f64 / 8.0;
        Term { sensor: number % SENSORS, threshold: eighths(number >> 8), weight: eighths(number >> 20) }
    })
}

/// What a rule says of readings, without compiled code.
pub(crate) fn interpret(rule: usize, readings: &[Reading]) -> f64 {
    let mut sum = 0.0;
    for reading in readings {
        for Term { sensor, threshold, weight } in terms(rule) {
            sum += if reading[sensor] > threshold { reading[sensor] * weight } else { 0.0 };
        }
    }
    crate::damp(sum)
}

/// LLVM IR of all rules, and `double @apply(i64 rule, ptr readings, i64 count)`.
pub(crate) fn module(count: usize) -> String {
    let mut ir = String::from("declare double @damp(double)\n");
    for rule in 0..count {
        write_rule(rule, &mut ir);
    }
    let names: Vec<_> = (0..count).map(|rule| format!("ptr @rule{rule}")).collect();
    ir + &format!(
        "@rules = internal constant [{count} x ptr] [{}]
define double @apply(i64 %rule, ptr %readings, i64 %count) {{
  %place = getelementptr ptr, ptr @rules, i64 %rule
  %function = load ptr, ptr %place
  %result = call double %function(ptr %readings, i64 %count)
  ret double %result
}}
",
        names.join(", ")
    )
}

fn write_rule(rule: usize, ir: &mut String) {
    let mut body = String::new();
    for (at, Term { sensor, threshold, weight }) in terms(rule).enumerate() {
        let next = at + 1;
        let _ = write!(
            body,
            "  %place{at} = getelementptr double, ptr %reading, i64 {sensor}
  %value{at} = load double, ptr %place{at}
  %counts{at} = fcmp ogt double %value{at}, {threshold:?}
  %product{at} = fmul double %value{at}, {weight:?}
  %part{at} = select i1 %counts{at}, double %product{at}, double 0.0
  %sum{next} = fadd double %sum{at}, %part{at}
"
        );
    }
    let _ = write!(
        ir,
        "define internal double @rule{rule}(ptr %readings, i64 %count) {{
entry:
  br label %loop
loop:
  %index = phi i64 [ 0, %entry ], [ %next, %loop ]
  %sum0 = phi double [ 0.0, %entry ], [ %sum{TERMS}, %loop ]
  %reading = getelementptr [{SENSORS} x double], ptr %readings, i64 %index
{body}  %next = add nuw i64 %index, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %loop, label %end
end:
  %result = call double @damp(double %sum{TERMS})
  ret double %result
}}
"
    );
}
