"""Named settings of RL arms: `preset: NAME` in a recipe, its other keys laid over them.

`paper-*` are the settings of arXiv 2504.07912 (Table 2, appendix C, and the configs of
rosieyzh/openrlhf-pretrain). `*-released` is what that code does with them: the critic is given the
actor's learning rate, and GRPO's KL term has no gradient, so that every coefficient trains alike.
Not carried over: the released code averages GRPO's loss over the tokens of each micro-batch of 8. Its prompts
end with the question, where a study here has one suffix for documents and prompts. Its REINFORCE takes from
each token's reward the KL of this and later tokens; `paper-reinforce` takes that of the whole completion.
`nano-*` are quick and stable at 0.2 to 3 M parameters on two cores; docs/algorithms.md has their results.
"""

from ..core.errors import UserError

_PAPER: dict[str, object] = {
    "prompts_per_step": 64,
    "samples_per_prompt": 8,
    "minibatch_samples": 64,
    "steps": 1160,
    "temperature": 0.7,
    "max_new_tokens": 1024,
    "optimizer": {"name": "adamw", "lr": 1e-6, "betas": [0.9, 0.95], "weight_decay": 0.0, "clip_norm": 1.0},
    # Ten passes over GSM8K in whole batches: 116 steps each; warm-up 3% of them.
    "warmup_steps": 35,
    "lr_floor": 0.1,
    "checkpoints": {"grid": "paper", "count": 15},
}
_PAPER_CRITIC: dict[str, object] = {
    "trunk": "own",
    "value_clip": 0.2,
    "gamma": 1.0,
    "lam": 0.95,
    "optimizer": {"lr": 7e-6, "weight_decay": 0.0},
}
_PAPER_PPO = _PAPER | {
    "algorithm": "ppo",
    "kl": {"coef": 1e-3, "estimator": "k1", "place": "reward"},
    "critic": _PAPER_CRITIC,
}
_PAPER_GRPO = _PAPER | {
    "algorithm": "grpo",
    "kl": {"coef": 1e-3, "estimator": "k3", "place": "loss", "allow_biased": True},
}
_NANO: dict[str, object] = {
    "prompts_per_step": 32,
    "samples_per_prompt": 8,
    "minibatch_samples": 128,
    "temperature": 1.0,
    "max_new_tokens": 128,
    "steps": 60,
    "optimizer": {"name": "adamw", "lr": 4e-4, "betas": [0.9, 0.99], "weight_decay": 0.0},
    "warmup_steps": 4,
    "lr_floor": 0.5,
}
_NANO_EI = _NANO | {
    # As many samples as 60 steps of 32 x 8, in three rounds.
    "prompts_per_step": 640,
    "steps": 3,
    "passes": 2,
    "schedule": "step",
    "restart": True,
    "lr_floor": 0.1,
}

_NANO_CRITIC: dict[str, object] = {
    "optimizer": {"name": "muon", "lr": 3e-3, "muon_lr": 0.01, "weight_decay": 0.0}
}
_NANO_PPO = _NANO | {"algorithm": "ppo", "critic": _NANO_CRITIC}

RL_PRESETS: dict[str, dict[str, object]] = {
    "paper-ppo": _PAPER_PPO,
    "paper-ppo-released": _PAPER_PPO
    | {"critic": _PAPER_CRITIC | {"optimizer": {"lr": 1e-6, "weight_decay": 0.0}}},
    "paper-grpo": _PAPER_GRPO,
    "paper-grpo-released": _PAPER_GRPO | {"kl": {"coef": 0.0}},
    "paper-reinforce": _PAPER_PPO | {"algorithm": "reinforce", "loss": {"whiten": True, "average": "tokens"}},
    "paper-ei": {
        "algorithm": "expert_iteration",
        "prompts_per_step": 7473,
        "samples_per_prompt": 64,
        "steps": 3,
        "restart": True,
        "passes": 2,
        "minibatch_samples": 256,
        "temperature": 1.0,
        "top_p": 0.95,
        "max_new_tokens": 1024,
        "schedule": "step",
        "optimizer": {"name": "adamw", "lr": 1e-4, "betas": [0.9, 0.95], "weight_decay": 0.0},
        "lr_floor": 0.1,
    },
    "nano-ppo": _NANO_PPO,
    # Neutral to length under a coin reward, which lambda 0.95 is not.
    "nano-ppo-lambda-1": _NANO_PPO | {"critic": _NANO_CRITIC | {"lam": 1.0}},
    "nano-grpo": _NANO | {"algorithm": "grpo"},
    "nano-dr-grpo": _NANO | {"algorithm": "dr_grpo"},
    "nano-dapo": _NANO | {"algorithm": "dapo", "sampling_rounds": 2, "overlong_buffer": 32},
    "nano-gspo": _NANO | {"algorithm": "gspo"},
    "nano-rloo": _NANO | {"algorithm": "rloo"},
    "nano-reinforce": _NANO | {"algorithm": "reinforce"},
    "nano-ei": _NANO_EI | {"algorithm": "expert_iteration"},
    "nano-best-of-n": _NANO_EI | {"algorithm": "best_of_n", "prompts_per_step": 1920, "steps": 1},
}


def rl_preset(name: object, where: str) -> dict[str, object]:
    """The settings behind a name; `where` says which key asked."""
    if not isinstance(name, str) or name not in RL_PRESETS:
        raise UserError(f"{where} is {name!r}; allowed are {', '.join(RL_PRESETS)}")
    return RL_PRESETS[name]
