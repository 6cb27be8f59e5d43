"""Generator and discriminator, trained together. Read pretrain.py first."""
