"""Adam whose update of a weight is one operation."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

_Adam: Any = object  # the `Adam` that it is mixed into


@dataclasses.dataclass(frozen=True)
class _Factors:
    """What every weight's update has in common, float32 scalars."""

    rate: Any
    beta_1: Any
    beta_2: Any
    beta_1_power: Any
    beta_2_power: Any
    epsilon: Any


class OneKernelAdam(_Adam):
    """Mixed into a Keras `Adam`, computes its formula by TensorFlow's kernel for it.

    Both Kerases write each weight's update as some 25 operations: two thirds of the graph of a
    step, and of the time that its tracing takes. The factors are computed once a step.
    """

    _factors: _Factors

    def apply_gradients(self, grads_and_vars: Any, **rest: Any) -> Any:
        """Changes each weight by its gradient; both may be of Keras or of TensorFlow."""
        step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, tf.float32)
        beta_1, beta_2 = tf.constant(self.beta_1), tf.constant(self.beta_2)
        self._factors = _Factors(
            rate=tf.convert_to_tensor(self.learning_rate),
            beta_1=beta_1,
            beta_2=beta_2,
            beta_1_power=beta_1**step,
            beta_2_power=beta_2**step,
            epsilon=tf.constant(self.epsilon),
        )
        return super().apply_gradients(grads_and_vars, **rest)

    def update_step(self, gradient: Any, variable: Any, *_: Any) -> None:
        """Changes one weight, a variable of TensorFlow, and its two moments."""
        index = self._get_variable_index(variable)
        factors = self._factors
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=factors.beta_1_power,
            beta2_power=factors.beta_2_power,
            lr=factors.rate,
            beta1=factors.beta_1,
            beta2=factors.beta_2,
            epsilon=factors.epsilon,
            grad=gradient,
        )


def _handle(variable: Any) -> Any:
    return variable.handle if isinstance(variable, tf.Variable) else variable.value.handle


class Adam(OneKernelAdam, keras.optimizers.Adam):
    """Adam, or AdamW where weights decay, of Keras 3."""
