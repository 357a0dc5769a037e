import torch

from models.draws import own_draws


def test_draws_depend_on_seed_name_and_step_alone():
    def drawn(seed, name, step, before=0):
        torch.manual_seed(seed)
        torch.rand(before)
        with own_draws(name, step):
            return torch.rand(3).tolist()

    assert drawn(1, "a", 4) == drawn(1, "a", 4, before=7)
    others = [drawn(2, "a", 4), drawn(1, "b", 4), drawn(1, "a", 5)]
    assert all(other != drawn(1, "a", 4) for other in others)


def test_the_global_state_stays_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with own_draws("a", 0):
        torch.rand(5)
    assert torch.rand(2).equal(expected)
    assert torch.initial_seed() == 3
